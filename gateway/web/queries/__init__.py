"""What the pages and the API read: SQLAlchemy Core on a read-only connection, one module a subject."""
