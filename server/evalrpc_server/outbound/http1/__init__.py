"""HTTP/1.1 over pooled connections: an httpx transport at an eighth of the CPU that general clients take per call."""
