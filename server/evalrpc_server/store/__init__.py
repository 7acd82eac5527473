"""What must survive the process: the store port and its backends."""
