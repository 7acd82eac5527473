"""The same features in each language's client, side by side, against one real server. Run with `make conformance`.

A folder with an `expected.json` is a feature: `feature.py`, `feature.ts` and `feature.go` do the same with their client and
return what they saw, which must be what `expected.json` holds. Each language runs all its features in one process, which
prints one line of JSON for each: `{"feature", "outcome"}`, or `{"feature", "failure"}`. Modelled on Temporal's features
repository.
"""
