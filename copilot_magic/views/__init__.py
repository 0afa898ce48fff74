"""Views of a streaming answer: in a notebook cell, in a terminal, as plain text.

May import `chat`, `wire` and `markdown`; only ``open.py`` knows IPython.
"""
