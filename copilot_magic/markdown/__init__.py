"""Markdown of any origin as HTML that is safe in a notebook page.

Pure: it may import `text`, `errors` and `settings`, and reads no file but its own style sheet.
"""
