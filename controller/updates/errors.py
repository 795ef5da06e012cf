"""What can be wrong with a release or a rollout."""

from controller.errors import ConflictError, InvalidError


class UpdateKeyError(InvalidError):
    """No update key that this centre believes has signed it."""

    code = "update_key"


class BundleError(InvalidError):
    """The file is not the bundle that was signed, or is none that a node would take."""

    code = "update_bundle"


class OldReleaseError(ConflictError):
    """There is one of this number already, or a later one."""

    code = "update_old"


class RolloutError(ConflictError):
    """A node is in another rollout, or this one is over."""

    code = "rollout"
