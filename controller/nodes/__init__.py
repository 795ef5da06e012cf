"""Nodes: what the centre knows of each loudspeaker cluster."""
