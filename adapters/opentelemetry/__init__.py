"""Traces in OpenTelemetry's terms, for whoever has a collector. Its packages are an extra."""
