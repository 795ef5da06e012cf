"""Why a yes is not taken."""

from controller.errors import ConflictError, ForbiddenError


class OwnRequestError(ForbiddenError):
    """The policy of the place asks for a person other than the one who asked."""

    code = "own_request"


class NotListenedError(ConflictError):
    """Whoever approves has not heard all that is new to them. ``files`` names what is left."""

    code = "not_listened"
