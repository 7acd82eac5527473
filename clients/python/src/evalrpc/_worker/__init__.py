"""Hosting functions: a worker connects out to the server, which calls them."""
