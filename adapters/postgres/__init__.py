"""PostgreSQL with pgvector, through psycopg."""
