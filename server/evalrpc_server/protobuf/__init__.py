"""Between the domain and the messages of `evalrpc.v1`; the only code that knows both."""
