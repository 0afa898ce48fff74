"""Ask a chat-completions server from a notebook cell: ``%load_ext copilot_magic``."""

__version__ = "0.1.0"
