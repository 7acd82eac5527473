"""Running experiments: from an accepted spec to stored results."""
