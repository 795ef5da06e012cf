"""Rules that an area above keeps for itself. Pure."""

from collections.abc import Iterable

from controller.areas.rules import Tree

from .errors import PolicyLockedError


def check_locks(tree: Tree, parent_id: str | None, changed: Iterable[str]) -> None:
    """Refuse that an area below a parent says what one above keeps for itself. Names that are no rules pass.

    Raises:
        PolicyLockedError: it does.
    """
    locks = tree.effective(parent_id).locks if parent_id else {}
    for rule in changed:
        if rule in locks:
            name = tree.places[locks[rule]].name
            raise PolicyLockedError(
                f"{rule}: {name} keeps this rule for itself", field=f"rules.{rule}", rule=rule, area=name
            )
