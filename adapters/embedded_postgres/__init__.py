"""A PostgreSQL server of our own, from the wheel, in a folder of our own."""
