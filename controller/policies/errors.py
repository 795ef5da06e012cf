"""Why a policy says no, or asks again."""

from controller.errors import ConflictError, InvalidError


class PolicyBreachError(InvalidError):
    """It breaks what the area allows: ``rules`` names the rules, ``breaches`` says limit, found and where."""

    code = "policy_breach"


class PolicyLockedError(InvalidError):
    """An area above keeps this rule for itself: ``rule`` says which, ``area`` whose."""

    code = "policy_locked"


class UnusualHourError(ConflictError):
    """Nothing sounds there at such an hour; it is done when the request says ``confirm_unusual``."""

    code = "unusual_hour"
