"""The wire between centre and node, defined once. Pure: no I/O, no clock, imports nothing of ours.

Both ends import this package. ``docs/protocol.md`` says the same in words, for whoever writes another agent.
"""
