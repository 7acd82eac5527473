"""The client for ordinary code, over gRPC's synchronous stack."""
