"""Renewals: a node asks for its next certificate by itself, or with a person's yes when the old one has ended."""
