"""The pipeline adapters that the server ships, and the registry that builds them from YAML."""
