"""Secrets masked in whatever is sent: by their name, their form and their randomness."""
