"""The conversation file and the replay file: values in, values out.

It imports `chat`, `errors` and `text`, and touches the disk; it knows no HTTP and no IPython.
"""
