"""A form that is sent twice is done once, also by two at once, after a break in the middle, and for nobody else."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from controller.db import Database
from controller.events import EventBus
from controller.retention import Forgetting
from controller.sent_forms.models import SentForm
from controller.sent_forms.service import (
    KEPT,
    Sending,
    SentForms,
    SentOtherwiseError,
    SentShownError,
    SentUnclearError,
)
from tests.controller.factories import Centre

KEY, CONTENT = "0123456789abcdef" * 2, b"=%2Fareas&name=Th%C3%B4n&password=hoa+ban+do"


def sending(here: Centre, *, key: str = KEY, content: bytes = CONTENT, person_id: str = "") -> Sending:
    return Sending(person_id or here.person.id, key, content)


def impatient(here: Centre) -> SentForms:
    return SentForms(here.database, here.clock, wait_s=0)


async def rows(here: Centre) -> list[SentForm]:
    async with here.database.reading() as session:
        return list(await session.scalars(select(SentForm)))


async def test_what_was_done_is_not_to_be_done_again_and_its_answer_is_given(here: Centre) -> None:
    forms, first = here.services.sent_forms, sending(here)
    assert await forms.begin(first) is None
    await forms.done(first, "/places?done=area")
    assert await forms.begin(sending(here)) == "/places?done=area"
    assert await forms.begin(sending(here, key="f" * 32)) is None, "another act"


async def test_of_two_at_once_one_does_it_and_the_other_has_its_answer(here: Centre) -> None:
    """Each over connections of its own, as two processes have them."""
    done = 0
    other = Database(here.database.url, EventBus())

    async def act(database: Database) -> str:
        nonlocal done
        forms = SentForms(database, here.clock)
        before = await forms.begin(sending(here))
        if before is not None:
            return before
        done += 1
        await forms.done(sending(here), f"/nodes/{done}")
        return f"/nodes/{done}"

    answers = await asyncio.gather(*(act(each) for each in (here.database, other) * 3))
    await other.close()
    assert (done, set(answers)) == (1, {"/nodes/1"})


async def test_what_broke_off_in_the_middle_is_said_and_not_done_again(here: Centre) -> None:
    forms = impatient(here)
    assert await forms.begin(sending(here)) is None
    began = here.clock()
    here.clock.step(minutes=5)
    with pytest.raises(SentUnclearError) as told:
        await forms.begin(sending(here))
    assert told.value.fields["sent_at"] == began


async def test_what_was_refused_is_mended_and_sent_again_with_the_same_key(here: Centre) -> None:
    forms = impatient(here)
    assert await forms.begin(sending(here, content=b"name=")) is None
    await forms.refused(sending(here, content=b"name="))
    assert await forms.begin(sending(here)) is None


async def test_who_waits_for_one_that_is_refused_does_it(here: Centre) -> None:
    forms = here.services.sent_forms
    assert await forms.begin(sending(here)) is None
    second = asyncio.create_task(forms.begin(sending(here)))
    await forms.refused(sending(here))
    assert await second is None


async def test_other_content_with_the_key_of_what_was_done_is_not_taken_for_it(here: Centre) -> None:
    forms = impatient(here)
    await forms.begin(sending(here))
    await forms.done(sending(here), "/places")
    with pytest.raises(SentOtherwiseError) as told:
        await forms.begin(sending(here, content=b"name=Other"))
    assert told.value.fields["answer"] == "/places"


async def test_what_is_shown_once_is_not_shown_again(here: Centre) -> None:
    forms = impatient(here)
    await forms.begin(sending(here))
    await forms.done(sending(here))
    with pytest.raises(SentShownError):
        await forms.begin(sending(here))


async def test_another_persons_key_gives_no_answer(here: Centre) -> None:
    nam = await here.somebody("nam", "operator")
    forms = impatient(here)
    await forms.begin(sending(here))
    await forms.done(sending(here), "/nodes/1")
    assert await forms.begin(sending(here, person_id=nam.id)) is None


async def test_neither_the_key_nor_what_was_typed_is_kept(here: Centre) -> None:
    """Of what was typed there is no hash that could be tried out, either: the key goes into it."""
    forms = here.services.sent_forms
    await forms.begin(sending(here))
    await forms.begin(sending(here, key="f" * 32))
    first, second = await rows(here)
    assert KEY not in {first.key_sha256, second.key_sha256}
    assert first.content_hmac != second.content_hmac


async def test_after_a_day_it_is_forgotten(here: Centre) -> None:
    forms = here.services.sent_forms
    forgetting = Forgetting(here.database, here.clock, here.services.live, 100)
    await forms.begin(sending(here))
    await forms.done(sending(here), "/nodes/1")
    here.clock.now += KEPT - timedelta(seconds=1)
    await forgetting.forget()
    assert len(await rows(here)) == 1
    here.clock.step(seconds=1)
    await forgetting.forget()
    assert await rows(here) == []
