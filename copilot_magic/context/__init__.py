"""What a prompt brings along from the notebook, and what the notebook takes from an answer.

Pure: no network, no disk, no IPython. Imports `text`, `errors`, `settings`, `chat`, `markdown`.
"""
