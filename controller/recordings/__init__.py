"""Recordings: uploaded audio, known by the SHA-256 of its processed file."""
