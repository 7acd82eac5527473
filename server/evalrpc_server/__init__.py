"""evalrpc server: runs LLM experiments as a service and records them in Langfuse."""
