"""The callers: each driver runs a job through one runner, in a process of its own, and prints an outcome."""
