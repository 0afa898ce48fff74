"""Code taken from an answer, and the names that it needs and binds."""
