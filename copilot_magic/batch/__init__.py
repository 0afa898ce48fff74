"""Many prompts: the same question to every row, on this machine or on many.

May import `chat`, `wire`, `context`, `client` and `store`; what it sends away pickles.
"""
