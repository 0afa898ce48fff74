"""Code in a copy of this process, as the next cell: how it runs, what it tells, how that reads."""
