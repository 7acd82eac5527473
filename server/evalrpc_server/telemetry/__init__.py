"""What the server tells of itself: spans and metrics, by OpenTelemetry and as Prometheus text."""
