"""Figures and pictures as parts of a message."""
