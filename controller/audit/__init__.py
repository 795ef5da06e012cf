"""Audit: who did what, append-only and hash-chained."""
