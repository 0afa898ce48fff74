"""A forked copy of this process that runs a function and can do no harm. Linux only.

It imports `text`, `errors` and `settings` only, and touches processes, memory and the kernel; it
knows no IPython. Other wings use `copy`, `limits` and `support`.
"""
