"""Measures speed and size against limits: `python -m benchmarks`."""
