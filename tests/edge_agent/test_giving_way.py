"""When an agent gives way to the program that a package has put in its place."""

from datetime import timedelta

from edge_agent.giving_way import GivingWay


class Pole:
    """Something sounds or is due in so long; or nothing is."""

    def __init__(self) -> None:
        self.due_in: timedelta | None = None
        self.left = 0
        self.giving_way = GivingWay(is_near=self._is_near, leave=self._leave)

    def _is_near(self, within: timedelta) -> bool:
        return self.due_in is not None and self.due_in <= within

    def _leave(self) -> None:
        self.left += 1


async def test_nobody_leaves_who_was_not_asked() -> None:
    pole = Pole()
    assert not pole.giving_way.look()
    assert pole.left == 0


async def test_who_is_asked_leaves_once_nothing_sounds_or_is_due_soon() -> None:
    pole = Pole()
    for due_in in (timedelta(0), timedelta(minutes=9)):
        pole.due_in = due_in
        pole.giving_way.ask()
        assert not pole.giving_way.look()
    assert pole.left == 0
    pole.due_in = timedelta(minutes=11)
    assert pole.giving_way.look()
    assert pole.left == 1
