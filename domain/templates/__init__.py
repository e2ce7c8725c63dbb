"""Templates: texts with typed parameters, from which pipeline configs and prompts are made."""
