"""What a task can be: one file per kind."""
