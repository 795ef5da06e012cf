"""Names for rows and documents."""

import secrets
import uuid
from datetime import datetime


def new_id() -> str:
    """Make a random name that fits ``edge_agent.protocol.fields.Id``: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def new_broadcast_id(now: datetime) -> str:
    """Make a name that sorts after all that were made before: milliseconds since 1970, then chance.

    Nodes decide ties by it, so whoever asked first is heard first, and a preview need not know the name to come.
    """
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"
