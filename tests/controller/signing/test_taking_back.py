"""What is taken back at the centre is taken back at a signer apart, once it answers, and nothing else is."""

from datetime import datetime
from pathlib import Path

from controller.broadcasts.schemas import BroadcastIn
from controller.errors import BusyError
from controller.wire.signer_watch import TakingBack
from tests.controller import factories


class Forgetful:
    """A signer that notes what it is to forget."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        self.is_silent = False

    async def void(self, name: str, before_at: datetime, content_sha256: str | None = None) -> None:  # noqa: ARG002
        if self.is_silent:
            raise BusyError("the signer does not answer")
        self.told.append((name, content_sha256))


async def test_what_is_edited_is_told_once_as_soon_as_it_answers(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as here:
        area = await here.area(quiet_hours=[])
        await here.node(area)
        recording, other = await here.recording("Họp thôn"), await here.recording("Họp xã")
        wanted = {"title": "Họp", "targets": (area.scope,), "confirm_unusual": True, "start_at": "2026-05-01T02:00:00Z"}

        def wish(said: str) -> BroadcastIn:
            return BroadcastIn.model_validate({**wanted, "recordings": (said,)})

        made = await here.services.broadcasts.create(here.actor, wish(recording))
        signer = Forgetful()
        work = TakingBack(here.database, here.clock, signer)
        await work.look()
        assert signer.told == [], "it stands"
        here.clock.step(minutes=1)
        signer.is_silent = True
        await here.services.broadcasts.change(here.actor, made.id, wish(other))
        await work.look()
        assert signer.told == []
        signer.is_silent = False
        await work.look()
        await work.look()
        [(name, content_sha256)] = signer.told
        assert name == f"broadcasts/{made.id}"
        assert content_sha256 is not None
        await TakingBack(here.database, here.clock, signer).look()
        assert signer.told == [(name, content_sha256)] * 2, "a centre that was started anew says it again"
