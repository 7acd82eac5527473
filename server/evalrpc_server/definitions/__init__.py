"""Experiments kept on the server under names, as YAML files in a directory."""
