"""What the service can do: use-cases, the engine, and the ports they need."""
