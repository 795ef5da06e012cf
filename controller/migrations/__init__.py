"""Steps from one shape of the tables to the next (Alembic). ``python -m controller.migrations "words"`` drafts one."""
