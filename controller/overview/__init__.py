"""How all nodes in sight stand, kept up to date by what changes."""
