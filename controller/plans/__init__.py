"""Signed documents for nodes: what is dirty, what was published, every version."""
