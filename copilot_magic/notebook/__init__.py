"""IPython: the magics, their commands and options, completion, and what to do about errors.

The top of the house: it may use every other wing, and none may use it.
"""
