"""Archives of what executions kept: asking for them, and packing them in the background."""
