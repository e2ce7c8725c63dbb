"""Everything in this process's memory: what embedded mode runs on, and what tests use as doubles."""
