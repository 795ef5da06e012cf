"""Releases of the agent, and how they reach the nodes: wave after wave, and no further when it goes wrong."""
