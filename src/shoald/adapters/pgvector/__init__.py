"""Vector search by PostgreSQL with the extension `vector`: one table per build."""
