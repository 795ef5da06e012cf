"""The number by which a person on the spot tells one node from its neighbours. Made from its name on both ends."""

import hashlib

DIGITS = 6
"""Of 120 nodes of a commune two have the same number in fewer than 1 of 100 communes; digits are told apart by ear in
any language, letters are not."""


def call_number(node_id: str) -> str:
    """Give it, leading zeros and all: SHA-256 of the node's name, modulo a million."""
    return f"{int.from_bytes(hashlib.sha256(node_id.encode()).digest()) % 10**DIGITS:0{DIGITS}}"
