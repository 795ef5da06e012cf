"""Sections 6 to 10: takes documents and keeps what the centre wants of the node."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .basics import LOG, Json, S, require
from .clock import Clock
from .documents import DOCUMENTS, PLAN_BODY, RETAINED
from .identity import Identity
from .outbox import Outbox
from .shelf import Shelf, whole
from .signatures import DroppedError, opened, strict_json
from .store import Store

Version = tuple[int, int]


class Keeper:
    """Documents and bodies of plans, verified again after a restart."""

    def __init__(self, identity: Identity, store: Store, clock: Clock, shelf: Shelf, outbox: Outbox) -> None:
        self.own, self.clock, self.shelf = identity.own, clock, shelf
        self._store, self._kept, self._outbox = store, store.kept, outbox
        self._folder = identity.state / "bodies"
        self._folder.mkdir(exist_ok=True)
        self.documents: dict[str, Json] = {}
        self.bodies: dict[str, Json] = {}
        self.dropped: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self._waiting: dict[tuple[str, str], tuple[Version, bytes]] = {}
        self._recall()

    def _recall(self) -> None:
        for place, token in list(self._kept["tokens"].items()):
            try:
                keys = [*self._kept["keys"], *self._kept["former"]]
                self.documents[place] = opened(place.split("/", 2)[2], token.encode(), keys)
            except DroppedError as dropped:
                LOG.warning("stored %s: %s", place, dropped)
                self._leave_out(place)
        for scope, plan in list(self._kept["plans"].items()):
            file = self.body_file(plan["body_sha256"])
            if file.exists() and whole(packed := file.read_bytes(), file.name):
                self.bodies[scope] = unpacked(packed, scope)
            else:
                del self._kept["plans"][scope]
        self.clock.hold = (self.settings or {}).get("clock_hold_ms", 0) * 1000

    # What is wanted.

    @property
    def settings(self) -> Any:
        return self.documents.get(f"{self.own}/settings")

    @property
    def holds(self) -> list[str]:
        return list(self._kept["holds"])

    @property
    def stops(self) -> list[str]:
        return list(self._kept["stops"])

    def areas(self) -> list[str]:
        return [f"areas/{area['area_id']}" for area in (self.settings or {"areas": []})["areas"]]

    def scopes(self) -> list[str]:
        """Give the scopes heard; those left too, until every area named has a plan that is new enough."""
        heard = [self.own, *self.areas()]
        areas = (self.settings or {"areas": []})["areas"]
        ready = all(self.plan_of(f"areas/{one['area_id']}")[1] >= one["plan_from_version"] for one in areas)
        return heard if ready else heard + [scope for scope in self._kept["plans"] if scope not in heard]

    def plan_of(self, scope: str) -> Version:
        """Give the epoch and version of the plan that rules."""
        plan = self._kept["plans"].get(scope, {"epoch": 0, "version": 0})
        return plan["epoch"], plan["version"]

    def plans_wanted(self) -> list[Json]:
        """Give the plans whose body is still to come."""
        plans = [(scope, self.documents.get(f"{scope}/plan")) for scope in self.scopes()]
        return [plan for scope, plan in plans if plan and (plan["epoch"], plan["version"]) != self.plan_of(scope)]

    def body_file(self, sha256: str) -> Path:
        return self._folder / sha256

    def voice(self, item: Json) -> Json | None:
        voices = {voice["language"]: voice for voice in reversed(item["voices"])}
        found = [voices[one] for one in dict.fromkeys(self.settings["languages"]) if one in voices]
        if item["choice"] < len(found):
            return dict(found[item["choice"]])
        return None if item["choice"] else dict(item["voices"][0])

    def voices(self, play: Json) -> dict[int, Json]:
        """Give what of a play is heard here, by item."""
        found = {index: self.voice(item) for index, item in enumerate(play["broadcast"]["items"])}
        return {index: voice for index, voice in found.items() if voice is not None}

    def listed(self) -> dict[str, Json]:
        """Give what plans and urgents list (section 7): an urgent rules over a plan, then the first by scope."""
        found: dict[str, Json] = {}
        scopes = sorted(self.scopes())
        urgents = [(scope, None, self.documents.get(f"{scope}/urgent", {"broadcasts": []})) for scope in scopes]
        leases = {scope: plan["lease_until"] for scope, plan in self._kept["plans"].items()}
        plans = [(scope, leases[scope], self.bodies[scope]) for scope in scopes if scope in self.bodies]
        for scope, lease, lister in [*urgents, *plans]:
            for one in lister["broadcasts"]:
                new = {"broadcast": one, "scopes": [], "lease": lease, "urgent": lease is None}
                play = found.setdefault(one["broadcast_id"], new)
                play["scopes"].append(scope)
                play["lease"] = None if play["urgent"] else max(play["lease"], lease)
        return found

    def knows_all(self) -> bool:
        """Say whether what is listed nowhere was withdrawn."""
        known = all(scope in self.bodies for scope in self.scopes() if f"{scope}/plan" in self.documents)
        return known and not {gap.rsplit("/", 1)[0] for gap in self._kept["gaps"]} & set(self.scopes())

    def leave_scopes(self) -> None:
        """Let go of the plans of areas that are not heard any more."""
        for left in set(self._kept["plans"]) - set(self.scopes()):
            del self._kept["plans"][left]
            self.bodies.pop(left, None)

    # Section 6: taking a document.

    def take(self, place: str, payload: bytes) -> str | None:
        """Take a message and give its word if it had an effect.

        Raises:
            DroppedError: it has none, and is to be counted.
        """
        parts = place.split("/", 2)
        scope, word = "/".join(parts[:2]), parts[-1]
        if len(parts) < 3 or word not in DOCUMENTS:
            raise DroppedError("bad_topic")
        if scope not in self.scopes() or self._kept["tokens"].get(place, "").encode() == payload:
            return None
        document = opened(word, payload, self._kept["keys"])
        if document["aud"] != scope:
            raise DroppedError("wrong_audience")
        version = (document["epoch"], document["version"])
        if word not in {"time/answer", "receipts/ack"}:
            self._require_newer(place, version)
        if word in {"plan", "urgent", "command"} and not self.clock.known():
            key = (place, document.get("command_id", ""))
            self._waiting[key] = max(self._waiting.get(key, (version, payload)), (version, payload))
            return None
        if word in {"plan", "urgent", "command"} or (word == "settings" and self.clock.known()):
            self._require_in_time(document)
        if word in RETAINED:
            self._kept["tokens"][place], self.documents[place] = payload.decode(), document
            self._kept["gaps"] = [gap for gap in self._kept["gaps"] if gap != place]
        if word in RETAINED or word == "command":
            self._kept["versions"][place] = version
        getattr(self, "_on_" + word.replace("/", "_"))(document)
        self._store.save(self.clock)
        if word == "command":
            raise DroppedError("unsupported_command")
        return word

    def waited(self) -> Iterator[tuple[str, bytes]]:
        """Give what waited for the time, oldest first, once the time is known."""
        if self.clock.known():
            waiting, self._waiting = self._waiting, {}
            for (place, _), (_, payload) in sorted(waiting.items(), key=lambda one: one[1]):
                yield place, payload

    def count(self, dropped: DroppedError) -> None:
        code = str(dropped)
        self.dropped[code] = self.dropped.get(code, 0) + 1
        if code != "stale":
            self.faults.setdefault("bad_message", self.clock.now())

    def _require_newer(self, place: str, version: Version) -> None:
        versions = self._kept["versions"]
        if version <= tuple(versions.get(place, (0, 0))) or version[0] < versions.get(f"{self.own}/settings", (0,))[0]:
            raise DroppedError("stale")

    def _require_in_time(self, document: Json) -> None:
        if self.clock.now() < document["nbf"] * S:
            raise DroppedError("not_yet_valid")
        if self.clock.now() >= document["exp"] * S:
            raise DroppedError("expired")

    def _on_hold(self, hold: Json) -> None:
        former = self._kept["released"]
        released = [*former, *(one for one in hold["released"] if one not in former)]
        active = [one["hold_id"] for one in hold["active"]]
        self._kept["released"] = released[-4096:]
        self._kept["holds"] = sorted({*self.holds, *active} - set(released))

    def _on_settings(self, settings: Json) -> None:
        keys, revoked = settings["trusted_keys"], settings["revoked_keys"]
        former = [key for key in (*self._kept["keys"], *self._kept["former"]) if key["use"] == "dispatch"]
        self._kept["former"] = [key for key in former if key not in keys and key["kid"] not in revoked][:64]
        self._kept["keys"] = keys
        if revoked:
            self._revoke(revoked)
        self.clock.hold = settings["clock_hold_ms"] * 1000
        self.shelf.wanted.set()

    def _on_plan(self, _plan: Json) -> None:
        self.shelf.wanted.set()

    def _on_urgent(self, urgent: Json) -> None:
        self._kept["stops"] = [*self._kept["stops"], *(one["broadcast_id"] for one in urgent["stops"])][-4096:]
        for sha256, data in urgent["inline"].items():
            if whole(data, sha256):
                self.shelf.put(sha256, data)
        self.shelf.wanted.set()

    def _on_command(self, _command: Json) -> None:
        """Do nothing: no command is supported."""

    def _on_receipts_ack(self, ack: Json) -> None:
        self._outbox.take(ack)

    def _on_time_answer(self, answer: Json) -> None:
        self.clock.take(answer)

    def take_body(self, plan: Json, body: Json) -> None:
        """Let a plan rule whose body has come."""
        self.bodies[plan["aud"]] = body
        names = ("epoch", "version", "body_sha256", "lease_until", "signed_by")
        self._kept["plans"][plan["aud"]] = {name: plan[name] for name in names}
        self._store.save(self.clock)

    def _leave_out(self, place: str) -> None:
        """Let go of a document and its version; nothing is withdrawn until another takes its place."""
        self._kept["tokens"].pop(place, None)
        self._kept["versions"].pop(place, None)
        self.documents.pop(place, None)
        self._kept["gaps"].append(place)

    def _revoke(self, kids: list[str]) -> None:
        """Void what these keys signed, and stop what sounds by that alone."""
        for place in [place for place, one in self.documents.items() if one["signed_by"] in kids]:
            self._leave_out(place)
        for scope in [scope for scope, plan in self._kept["plans"].items() if plan["signed_by"] in kids]:
            self._leave_out(f"{scope}/plan")
            del self._kept["plans"][scope]
            self.bodies.pop(scope, None)
        plays = self._kept["plays"]
        begun = [name for name, one in plays.items() if one["began_at"] is not None and not one["outcome"]]
        self._kept["stops"] += [name for name in begun if self._kept["gaps"] and name not in self.listed()]


def unpacked(packed: bytes, scope: str) -> Json:
    """Section 9: give the body of a plan."""
    unpacker = zlib.decompressobj(31)
    data = unpacker.decompress(packed, 4 << 20)
    require(unpacker.eof and not unpacker.unused_data)
    body: Json = PLAN_BODY(strict_json(data))
    require(body["scope"] == scope)
    return body
