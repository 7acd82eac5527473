"""The gRPC side: servicers, interceptors, and the only code that knows protobuf."""
