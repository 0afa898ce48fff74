"""Objects of the notebook described for a model: a file for each kind of object."""
