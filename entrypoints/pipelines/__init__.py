"""Pipelines that come with the server."""
