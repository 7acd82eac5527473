"""What goes around every RPC: a request id, a log line, telemetry, errors, and whether it is let in."""
