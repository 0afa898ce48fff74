"""Conversations: what is asked, what is answered, what a server must be told.

Pure: no HTTP, no disk, no notebook.
"""
