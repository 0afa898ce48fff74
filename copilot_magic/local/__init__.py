"""The small local model: its weights, its server's process, and the port it listens on.

It imports `text`, `errors` and `settings` only, and touches the disk, processes and loopback; it
knows no IPython. Other wings use `launcher`; `server` is the program in the server's own process.
"""
