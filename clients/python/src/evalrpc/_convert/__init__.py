"""The contract's messages as plain values."""
