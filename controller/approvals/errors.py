"""Why a yes is not taken."""

from controller.errors import ConflictError, ForbiddenError


class OwnWorkError(ForbiddenError):
    """The area's policy asks for a second person: whoever wrote or submitted this version cannot approve it."""

    code = "own_work"


class NotListenedError(ConflictError):
    """Whoever approves has not heard all that is new to them; ``files`` names what is left."""

    code = "not_listened"
