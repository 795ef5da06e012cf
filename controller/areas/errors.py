"""What can be wrong with what is asked of a place."""

from controller.errors import ConflictError


class AreaInUseError(ConflictError):
    """Something is still there; the fields count what (``RemovalOut``)."""

    code = "area_in_use"
