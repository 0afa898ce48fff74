"""The chat-completions protocol: what is posted, what comes back, and what a failure means.

Pure: no network, no disk, no IPython. It imports `text`, `errors`, `settings` and `chat`.
"""
