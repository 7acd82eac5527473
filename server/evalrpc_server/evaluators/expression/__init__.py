"""Evaluators that are a CEL expression over an item and its output."""
