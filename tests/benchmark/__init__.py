"""Speed measurements: evalrpc, its peers and a bare loop over the same work. Run with `python -m tests.benchmark`."""
