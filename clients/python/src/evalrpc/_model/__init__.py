"""What the server tells, as plain typed values that know nothing of protobuf."""
