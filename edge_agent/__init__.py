"""What runs on one Raspberry Pi. Kept empty: a tool that reads the wire must not load the player."""
