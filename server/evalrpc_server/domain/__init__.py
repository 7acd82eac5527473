"""The vocabulary of evalrpc as plain typed values: no I/O, no gRPC, no HTTP, no SQL."""
