"""The spec of an experiment: the same names and nesting as the protobuf messages, so that paths in errors match."""
