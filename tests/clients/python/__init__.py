"""Tests of the Python client and its command."""
