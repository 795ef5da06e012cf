"""Places: a tree of any depth, whose kinds are data."""
