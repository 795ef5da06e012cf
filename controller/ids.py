"""Names for rows and documents."""

import uuid


def new_id() -> str:
    """Make a random name that fits ``edge_agent.protocol.fields.Id``: 32 hexadecimal digits."""
    return uuid.uuid4().hex
