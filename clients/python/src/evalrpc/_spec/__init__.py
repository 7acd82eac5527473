"""From what a caller types to an `ExperimentSpec`."""
