"""Enrolments: a new node asks for a name, a person adopts it."""
