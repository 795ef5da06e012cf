"""What can go wrong on the node itself. Codes are stable: they travel as faults and stand in logs."""

from typing import ClassVar


class AgentError(Exception):
    """Root of the agent's own errors; its message says what, where, and what to do."""

    code: ClassVar[str] = "agent"


class ConfigError(AgentError):
    """The state directory or an option does not fit."""

    code = "config"


class NotEnrolledError(ConfigError):
    """No node has been adopted with this state directory yet."""

    code = "not_enrolled"


class EnrolmentError(AgentError):
    """The centre did not adopt this node, or could not be believed."""

    code = "enrolment"


class StoreError(AgentError):
    """The store cannot be opened or written."""

    code = "store"


class OutputError(AgentError):
    """The output cannot be opened, or has gone."""

    code = "output_lost"


class DeviceError(AgentError):
    """The library behind the sound cards is missing or stuck."""

    code = "device"


class InputLostError(AgentError):
    """The input cannot be opened, or has gone."""

    code = "input_lost"


class FetchError(AgentError):
    """A download that failed for now; it will be tried again."""

    code = "fetch_failed"


class GoneError(FetchError):
    """The centre does not have it (404) or has withdrawn it (410)."""

    code = "media_missing"


class CorruptError(FetchError):
    """What came does not have the hash or the size that was promised."""

    code = "media_corrupt"


class NoSpaceError(FetchError):
    """The disk has no room even after eviction."""

    code = "disk_low"
