"""Processes (server, command line) and the composition root."""
