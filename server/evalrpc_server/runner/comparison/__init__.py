"""Looking at whole runs: summaries, comparisons, plans, gates."""
