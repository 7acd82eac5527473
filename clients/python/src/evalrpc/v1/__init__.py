"""The messages and services of `evalrpc.v1`, generated from the .proto files by `make generate`."""
