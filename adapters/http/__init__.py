"""The HTTP API: Litestar in front of the use-cases, wire shapes in `wire/`, one controller per tag."""
