"""Two pipeline adapters, to copy from."""
