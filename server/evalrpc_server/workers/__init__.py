"""Workers: who is connected, what they host, and which of them does what. Knows no protobuf and no stream."""
