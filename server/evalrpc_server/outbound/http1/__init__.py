"""HTTP/1.1 over pooled connections, as an httpx transport."""
