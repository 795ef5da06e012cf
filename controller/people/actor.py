"""Who acts, handed to every service call that changes something."""

from dataclasses import dataclass

from .proof import Proof

ME = "me"
"""In a path: whoever asks."""


@dataclass(frozen=True)
class Actor:
    """A person, or the system itself."""

    person_id: str | None
    """None: a command or job on the machine of the centre."""
    origin: str
    """Address of the person, or the name of the command or job."""
    acts: frozenset[str] | None = None
    """With a machine's token: what it may do at most; None: whatever the person may."""
    proof: Proof | None = None
    """Where the signer stands apart: how this person proves a yes. None: the rows are believed."""
