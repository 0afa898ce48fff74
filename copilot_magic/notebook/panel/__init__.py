"""The chat panel: a widget, the thread behind it, and what both send to the page."""
