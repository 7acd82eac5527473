"""Experiments that are started from elsewhere than an RPC: what a webhook asks for, as an experiment."""
