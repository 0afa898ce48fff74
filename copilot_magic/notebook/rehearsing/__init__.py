"""Code run in a copy of this process as the next cell: running it, reporting, and reading that."""
