"""HTTP: a request goes out, and the answer comes in as it arrives.

It imports `text`, `errors`, `settings`, `chat` and `wire`; requests and urllib3 at first use.
"""
