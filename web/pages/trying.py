"""Parts of Phát ngay besides sending: a text read aloud by a machine, and what is tried on one node first."""

from fastapi.responses import HTMLResponse

from controller.approvals.needs import Need
from controller.broadcasts.schemas import BroadcastIn, PreviewOut
from controller.errors import BusyError, InvalidError, LoaError
from controller.ids import new_id
from controller.recordings.schemas import ReadingIn, RecordingOut, SpeechIn
from controller.recordings.speech import are_words_of
from web.pages.sounds import recording_card, until_ready
from web.problems import problem_text
from web.site import Visit
from web.views import say as views
from web.views.dated import unusual_said
from web.views.existing import Said
from web.views.recordings import Recording
from web.words import Mark

MOST_TYPED = 10_000
"""Characters; written out they become more."""
VOICES = {"vi": "speech.north", "vi-vn-x-central": "speech.central", "vi-vn-x-south": "speech.south"}
"""Those of the machine, and the key of the word for each."""
TEXT_PROBLEMS = {"empty": "speech.empty", "long": "speech.long"}
MOST_TITLE = 200


async def read_aloud(visit: Visit, text: str, voice: str) -> HTMLResponse:
    """Show a text word for word as it would be read; of an empty one nothing."""
    if not text.strip():
        return visit.fragment("_reading.html", said="", wrong="")
    try:
        found = await visit.services.speech.read(visit.actor, ReadingIn(text=text[:MOST_TYPED], voice=voice[:40]))
    except InvalidError as error:
        return visit.fragment("_reading.html", said="", wrong=_said(error, visit))
    return visit.fragment("_reading.html", said=found.said, wrong="")


async def spoken(visit: Visit, text: str, voice: str) -> HTMLResponse:
    """Have it read aloud, and show the recording that it becomes; or say why not."""
    try:
        made = await _speak(visit, text, voice)
    except LoaError as error:
        return visit.fragment("_recording.html", recording=Recording("", "", "rejected", why=_said(error, visit)))
    return visit.fragment("_recording.html", recording=await recording_card(visit, made.id))


async def were_changed(visit: Visit, text: str, recording_id: str) -> bool:
    """Say whether words that a machine read into the chosen recording are others than those that are typed now."""
    found = await recording_card(visit, recording_id) if text.strip() and recording_id else None
    return found is not None and changed_since(text, found)


def changed_since(text: str, chosen: Recording) -> bool:
    """Say whether ``text`` was changed since a machine read it into ``chosen``; without a text nothing was."""
    return bool(text.strip() and chosen.words) and not are_words_of(text[:MOST_TYPED], chosen.words)


def unspoken(visit: Visit, text: str, chosen: Recording | Said | None) -> tuple[Mark, ...]:
    """Say that words which are typed beside something that was not made of them are not heard; else nothing."""
    if not text.strip() or chosen is None or (isinstance(chosen, Recording) and chosen.words):
        return ()
    return (Mark("triangle", "care", visit.text("speech.unspoken")),)


async def read_on_sending(
    visit: Visit, text: str, voice: str, *, again: bool = False
) -> tuple[RecordingOut | None, str]:
    """Have words read aloud that were sent without: gives what they became, and what to do with it; or why not.

    Nothing goes out that its author could not hear: it is sent when they press again. ``again``: words that were read
    have been changed since; what was read before is not sent for them either.
    """
    try:
        made = await _speak(visit, text, voice)
    except LoaError as error:
        return None, _said(error, visit)
    await until_ready(visit, made.id)
    return made, visit.text("speech.read_again" if again else "speech.listen_first")


async def _speak(visit: Visit, text: str, voice: str) -> RecordingOut:
    return await visit.services.speech.speak(visit.actor, SpeechIn(text=text[:MOST_TYPED], voice=voice[:40]))


def _said(error: LoaError, visit: Visit) -> str:
    if isinstance(error, BusyError):
        no_voice = error.fields.get("problem") == "no_voice"
        return visit.text("speech.no_voice" if no_voice else "speech.busy")
    if error.fields.get("field") == "text":
        return visit.text(TEXT_PROBLEMS[str(error.fields["problem"])])
    return problem_text(error, visit.form)


async def tried(visit: Visit, draft: views.Draft, node: str, *, confirmed: bool) -> HTMLResponse:
    """Play it at one node now, marked as a trial, within policies and hours; or say why not."""
    card = await recording_card(visit, draft.recording) if draft.recording else None
    if not draft.content or (draft.recording and (card is None or card.state != "ready")):
        return _not_tried(visit, visit.text("say.missing_recording"))
    if card and changed_since(draft.text, card):
        return _not_tried(visit, visit.text("speech.changed"))
    title = visit.text("say.trial_title", title=draft.title or (card.title if card else ""))[:MOST_TITLE]
    try:
        wanted = BroadcastIn.checked(
            **draft.content,
            title=title,
            targets=[node],
            category=draft.category or None,
            confirm_unusual=confirmed,
        )
        found = await visit.services.broadcasts.preview(visit.actor, wanted)
        if why := _against(found, visit, confirmed=confirmed):
            unusual = "" if found.refusal or found.conflicts else unusual_said(found.unusual, visit.form)
            return _not_tried(visit, why, unusual)
        made = await visit.services.broadcasts.create(visit.actor, wanted, idempotency_key=new_id())
    except LoaError as error:
        return _not_tried(visit, problem_text(error, visit.form))
    said = visit.text("say.tried", node=made.targets[0].name)
    return visit.fragment("_trial.html", run=made.id, mark=Mark("unknown", "unsure", said), unusual="")


def _against(found: PreviewOut, visit: Visit, *, confirmed: bool) -> str:
    """Say why it is not tried; empty: nothing is against it."""
    if found.approval is Need.ANOTHER:
        return visit.text("say.try_asks")
    if found.conflicts or found.yields or found.cuts:
        return visit.text("say.try_busy")
    if not found.online_count:
        return visit.text("say.try_offline")
    if found.refusal or not found.played_count + found.unreporting_count:
        quiet = next((each.quiet_hours for each in found.forecasts if each.quiet_hours), "")
        return visit.text("say.try_quiet", hours=quiet) if quiet else visit.text("say.try_refused")
    return visit.text("say.try_unusual") if found.unusual and not confirmed else ""


def _not_tried(visit: Visit, why: str, unusual: str = "") -> HTMLResponse:
    return visit.fragment("_trial.html", run="", mark=Mark("triangle", "care", why), unusual=unusual)
