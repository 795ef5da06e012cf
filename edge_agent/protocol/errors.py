"""What can be wrong with a message. Codes are stable: they travel in health reports and logs."""

from typing import ClassVar


class ProtocolError(Exception):
    """Root of this package: a message that has no effect, and why."""

    code: ClassVar[str] = "protocol"


class MalformedError(ProtocolError):
    """Not JSON, not the promised shape, out of range, or too large."""

    code = "malformed"


class BadTopicError(ProtocolError):
    """A topic that this protocol does not know."""

    code = "bad_topic"


class BadSignatureError(ProtocolError):
    """The signature does not fit, or the algorithm is not the pinned one."""

    code = "bad_signature"


class UnknownKeyError(ProtocolError):
    """Signed by a key that is not trusted for this kind of document."""

    code = "unknown_key"


class WrongAudienceError(ProtocolError):
    """A true document, meant for another area or node, or of another kind than its topic."""

    code = "wrong_audience"


class StaleError(ProtocolError):
    """An epoch or version that is not above the one held."""

    code = "stale"


class ExpiredError(ProtocolError):
    """Read after its ``exp``."""

    code = "expired"


class LastsTooLongError(ProtocolError):
    """Readable for longer than any honest document of its kind."""

    code = "lasts_too_long"


class NotYetValidError(ProtocolError):
    """Read before its ``nbf``."""

    code = "not_yet_valid"


class WrongBoardError(ProtocolError):
    """A release that is built for another processor."""

    code = "wrong_board"


class WrongPythonError(ProtocolError):
    """A release that is built for another Python."""

    code = "wrong_python"


class NotNewerError(ProtocolError):
    """A release that is not above what the node has taken already."""

    code = "not_newer"


class BundleError(ProtocolError):
    """What is in a bundle is not what an agent is made of."""

    code = "bad_bundle"
