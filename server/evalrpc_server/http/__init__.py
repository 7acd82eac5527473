"""The small HTTP listener beside gRPC."""
