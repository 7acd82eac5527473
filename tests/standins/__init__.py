"""Stand-ins for the services of other vendors that tests and benchmarks need."""
