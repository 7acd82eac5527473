"""Langfuse's own SDKs as clients of the stand-in: where they are installed, and what they are made to do."""
