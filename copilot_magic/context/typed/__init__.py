"""The types that an answer can have: what they look like in JSON, and how they are read from it."""
