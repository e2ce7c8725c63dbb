"""YAML, read defensively."""
