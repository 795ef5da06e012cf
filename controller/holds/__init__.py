"""Holds: STOP, and its release by a person."""
