"""The next certificate over HTTPS (``/api/v1/renewals``): asked for by the node's old key, made for its new one."""

from typing import ClassVar, Literal

from .enrolment import Pem
from .fields import Id, NumericDate, Wire


class RenewalRequest(Wire, frozen=True, kw_only=True):
    """POST ``/api/v1/renewals``, as a compact JWS with the key of the certificate that the node has.

    Asking again with the same request gives the same answer: that is how a node waits, and how it comes through a cut.
    """

    word: ClassVar[str] = "renewal"
    """Names the kind in the token: ``loa-renewal``."""

    iss: Id
    """The node."""
    iat: NumericDate
    """By the node's clock, which may be wrong: nothing rests on it."""
    csr_pem: Pem
    """PKCS #10 request with a new Ed25519 key, signed by it. Its subject is ignored."""


class RenewalStatus(Wire, frozen=True, kw_only=True):
    """How the centre answers it."""

    state: Literal["renewed", "early", "waiting", "refused"]
    """``early``: the old one is good for longer than a third of its life. ``waiting``: the old one has ended; a person
    has to say that the node is still the one on the pole. ``refused``: a person said no, or it ended too long ago;
    enrol anew."""
    certificate_pem: Pem | None = None
    """With ``renewed``: common name = node id, for the new key."""
