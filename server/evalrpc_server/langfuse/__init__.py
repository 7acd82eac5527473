"""Langfuse: what a result becomes there, and how it gets there without loss."""
