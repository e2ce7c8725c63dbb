"""Who asks, whether they may, and what is written of it."""
