"""Make examples: one generator for each kind of example."""
