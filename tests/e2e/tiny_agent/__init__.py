"""A second agent, small and complete, written from docs/protocol.md only; it shares no code with the project.

It is what section 19 of that page describes, with a paced virtual output and every guard. What it leaves out is never
unsafe: it asks no kernel for the time (only the centre), supports no command, and fetches one file at a time.
"""
