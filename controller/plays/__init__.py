"""Plays: each node's part in each broadcast."""
