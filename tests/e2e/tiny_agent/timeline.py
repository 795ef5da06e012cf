"""Section 12: the timeline, in the words of its pseudo-code."""

from .basics import HOUR, Json, S
from .documents import slots_end_ms
from .hours import leaves, meets
from .keeper import Keeper
from .signatures import content_sha256

AHEAD = S * 3 // 10
"""A moment: what may begin within it is decided and stored before it sounds."""
REFUSALS = {"outside_window", "quiet_hours", "plays_per_hour"}
NEW_PLAY: Json = dict.fromkeys(
    ("began_at", "anchor_at", "sounding", "repeated", "cut_by", "by", "outcome", "lease"), None
) | {"next_item": 0, "suspended": False, "rejoins": False, "urgent": False}


class Timeline:
    """What happens to plays at one instant. ``tells`` collects the outcomes."""

    def __init__(self, keeper: Keeper, plays: dict[str, Json], now: int) -> None:
        self.keeper, self.clock, self.now = keeper, keeper.clock, now
        self.plays = {name: dict(play) for name, play in plays.items()}
        self.tells: list[tuple[str, Json]] = []
        self.good = self.clock.good()

    def evaluate(self) -> None:
        candidates = {}
        for name, play in sorted(self.plays.items()):
            if play["outcome"]:
                continue
            if play["sounding"] and self.now >= play["sounding"][2]:
                play["sounding"] = None
            if (self.may_begin if play["began_at"] is None else self.may_go_on)(name, play):
                candidates[name] = play
        begun = [name for name, play in candidates.items() if play["began_at"] is not None and not play["suspended"]]
        holder = begun[0] if begun else None
        if not candidates:
            return
        chosen = self.choose(candidates, holder)
        if holder and chosen != holder:
            self.cut(holder, chosen)
            self.evaluate()
        elif not self.sound(self.plays[chosen]):
            self.evaluate()

    def voice(self, play: Json, item: int) -> Json | None:
        return self.keeper.voice(play["broadcast"]["items"][item])

    def length(self, play: Json, item: int) -> int:
        """Give how long an item sounds here, in microseconds."""
        voice = self.voice(play, item)
        return voice["length_ms"] * 1000 if voice else 0

    def heard_left(self, play: Json, until: int | None = None) -> bool:
        """Say whether an item that has a voice here is among those not begun, before ``until``."""
        items = range(play["next_item"], len(play["broadcast"]["items"]) if until is None else until)
        return any(self.voice(play, item) for item in items)

    @staticmethod
    def urgent_emergency(play: Json) -> bool:
        return bool(play["urgent"] and play["broadcast"]["level"] == "emergency")

    def serves(self, play: Json) -> bool:
        return self.good or (self.urgent_emergency(play) and self.clock.known())

    def end(self, name: str, play: Json, outcome: str, reason: str | None = None, by: str | None = None) -> None:
        if reason:
            self.note(play, reason, min(self.keeper.holds, default=None) if reason == "held" else by)
        play["outcome"], play["sounding"] = outcome, None
        self.tells.append((name, {"outcome": outcome, "reason": play["cut_by"], "by": play["by"]}))

    @staticmethod
    def note(play: Json, reason: str, by: str | None = None) -> None:
        if play["cut_by"] is None:
            play["cut_by"], play["by"] = reason, by

    def off(self, name: str, play: Json) -> str | None:
        """Give the first of off, clock_untrusted and busy that applies."""
        latest_start_at, good_since = play["broadcast"]["latest_start_at"], self.clock.good_since
        if self.clock.started_at > latest_start_at:
            return "off"
        if good_since is not None and good_since > latest_start_at:
            return "clock_untrusted"
        others = [one for other, one in self.plays.items() if other != name and not one["outcome"]]
        return "busy" if any(one["began_at"] is not None and not one["suspended"] for one in others) else None

    def may_begin(self, name: str, play: Json) -> bool:
        one, settings = play["broadcast"], self.keeper.settings
        if name in self.keeper.stops:
            self.end(name, play, "cancelled", "stopped")
        elif not self.serves(play) or self.now < one["start_at"]:
            return False
        elif other := self.begun_version(play):
            self.end(name, play, "cancelled", "already_begun", other)
        elif self.now >= one["latest_end_at"]:
            off = self.off(name, play)
            self.end(name, play, "missed" if off else "expired", off or "late")
        elif not self.approved(play):
            self.end(name, play, "refused", "not_approved")
        elif slots_end_ms(one) > settings["max_emergency_ms" if one["level"] == "emergency" else "max_broadcast_ms"]:
            self.end(name, play, "refused", "too_long")
        else:
            reason = self.blocker(play)
            ends_at = self.now + self.length(play, 0)
            if self.now > one["latest_start_at"] or ends_at > one["latest_end_at"]:
                reason = reason or self.off(name, play) or "late"
                self.end(name, play, "refused" if reason in REFUSALS else "missed", reason)
                return False
            return not reason
        return False

    def begun_version(self, play: Json) -> str | None:
        """Name the version of its run that has begun here."""
        begun = {run_of(one): name for name, one in self.plays.items() if one["began_at"] is not None}
        return begun.get(run_of(play))

    def approved(self, play: Json) -> bool:
        one = play["broadcast"]
        return any(
            approval["content_sha256"] == content_sha256(one)
            and set(approval["scopes"]) & set(play["scopes"])
            and approval["not_before_at"] <= one["start_at"]
            and one["latest_end_at"] <= approval["not_after_at"]
            for approval in one["approvals"]
        )

    def may_go_on(self, name: str, play: Json) -> bool:
        if self.over(play):
            self.finish(name, play)
            return False
        reason = "stopped" if name in self.keeper.stops else self.blocker(play)
        if not reason:
            return True
        if not self.heard_left(play) and not play["sounding"]:
            self.finish(name, play)
        elif not play["sounding"] and reason in {"no_file", "clock_untrusted"}:
            play["suspended"] = True
        else:
            self.end(name, play, "interrupted", reason)
        return False

    def blocker(self, play: Json) -> str | None:
        if self.keeper.holds:
            return "held"
        if not self.serves(play) and not (self.urgent_emergency(play) and play["sounding"]):
            return "clock_untrusted"
        following, emergency = self.next(play), play["broadcast"]["level"] == "emergency"
        if not emergency:
            reason = self.routine_blocker(play, following)
        else:
            reason = self.hours_blocker(play, following) if play["broadcast"]["drill"] == "marked" else None
        if reason or play["sounding"] or not following or not (emergency or play["began_at"] is None):
            return reason
        voice = self.voice(play, following[0])
        return None if voice is None or self.keeper.shelf.present(voice) else "no_file"

    def routine_blocker(self, play: Json, following: tuple[int, int] | None) -> str | None:
        settings = self.keeper.settings
        if not play["sounding"] and play["lease"] is not None and self.now >= play["lease"]:
            return "lease_ended"
        if reason := self.hours_blocker(play, following):
            return reason
        began = [one["began_at"] for one in self.plays.values() if one["began_at"] is not None]
        recent = sum(self.now - HOUR < at <= self.now for at in began)
        return "plays_per_hour" if play["began_at"] is None and recent >= settings["plays_per_hour"] else None

    def hours_blocker(self, play: Json, following: tuple[int, int] | None) -> str | None:
        settings = self.keeper.settings
        span = play["sounding"][1:] if play["sounding"] else self.span(play, following)
        if following and not play["sounding"] and self.voice(play, following[0]) is None:
            span = None
        if span and leaves(settings["windows"], settings["zone"], *span):
            return "outside_window"
        if span and meets(settings["quiet_hours"], settings["zone"], *span):
            return "quiet_hours"
        return None

    def next(self, play: Json) -> tuple[int, int] | None:
        """Give the next item and its begin."""
        base, items = play["anchor_at"], play["broadcast"]["items"]
        if base is None:
            base = max(play["broadcast"]["start_at"], self.now)
        for item in range(play["next_item"], len(items)):
            slot = base + items[item]["offset_ms"] * 1000
            if slot >= self.now or not play["rejoins"]:
                return item, max(slot, self.now)
        return None

    def span(self, play: Json, following: tuple[int, int] | None) -> tuple[int, int] | None:
        if following is None:
            return None
        return following[1], following[1] + self.length(play, following[0])

    def over(self, play: Json) -> bool:
        one = play["broadcast"]
        if play["sounding"]:
            return False
        given_up = bool(play["suspended"] or play["rejoins"])
        if self.heard_left(play) or (play["next_item"] < len(one["items"]) and not given_up):
            span = self.span(play, self.next(play))
            return self.serves(play) and (span is None or span[1] > one["latest_end_at"])
        last = {"items": one["items"][: play["next_item"]]}
        last_slot_at = play["anchor_at"] + slots_end_ms(last) * 1000
        return given_up or bool(self.now >= min(last_slot_at, one["latest_end_at"]))

    def finish(self, name: str, play: Json) -> None:
        if self.heard_left(play):
            self.note(play, "power" if play["rejoins"] else "latest_end")
        self.end(name, play, "interrupted" if play["cut_by"] else "played")

    def choose(self, candidates: dict[str, Json], holder: str | None) -> str:
        def level(name: str) -> int:
            return ("normal", "priority", "emergency").index(candidates[name]["broadcast"]["level"])

        def queue(name: str) -> tuple[int, int, str]:
            return -level(name), candidates[name]["broadcast"]["order"], name

        emergencies = [name for name in candidates if level(name) == 2]
        if emergencies:
            if holder in emergencies and candidates[holder]["sounding"]:
                return holder
            return min(emergencies, key=lambda name: (candidates[name]["broadcast"]["start_at"], name))
        first = holder or min(candidates, key=queue)
        began_at = candidates[first]["began_at"]
        hard = [
            name
            for name, play in candidates.items()
            if play["broadcast"]["start"] == "hard"
            and play["began_at"] is None
            and level(name) >= level(first)
            and began_at is not None
            and began_at < play["broadcast"]["start_at"]
        ]
        return min(hard, key=queue) if hard else first

    def cut(self, name: str, by: str) -> None:
        play = self.plays[name]
        if play["sounding"]:
            play["sounding"] = None
            self.note(play, "preempted", by)
        play["suspended"] = True
        if self.over(play):
            self.finish(name, play)
        elif not play["broadcast"]["resumes"]:
            self.end(name, play, "interrupted", "preempted", by)

    def sound(self, play: Json) -> bool:
        """Begin the next item if it is its time; false asks for another evaluation."""
        following = self.next(play)
        if play["sounding"] or following is None or following[1] > self.now:
            return True
        item, voice = following[0], self.voice(play, following[0])
        if voice is not None and not self.keeper.shelf.load(voice):
            if play["began_at"] is not None and play["broadcast"]["level"] != "emergency":
                self.note(play, "no_file")
                play["next_item"] = item + 1
            return False
        if self.heard_left(play, item):
            self.note(play, "power")
        begins = play["began_at"] is None
        play["began_at"] = self.now if begins else play["began_at"]
        play["anchor_at"] = self.now - play["broadcast"]["items"][item]["offset_ms"] * 1000
        play["next_item"], play["suspended"], play["rejoins"] = item + 1, False, False
        play["sounding"] = [item, self.now, self.now + voice["length_ms"] * 1000] if voice else None
        return voice is not None and not begins  # with its begin other versions of it are over

    def soon(self) -> list[int]:
        """Give the instants at which, within the next moment, something may begin by itself."""
        found = set()
        for play in self.plays.values():
            if not play["outcome"]:
                following = self.next(play)
                found |= {play["broadcast"]["start_at"], following[1] if following else 0}
                found |= {play["sounding"][2]} if play["sounding"] else set()
                if play["anchor_at"] is not None:
                    found.add(play["anchor_at"] + slots_end_ms(play["broadcast"]) * 1000)
        return sorted(at for at in found if self.now < at <= self.now + AHEAD)


def run_of(play: Json) -> str:
    """Name what all versions of it share: the first."""
    return str(play["broadcast"].get("run") or play["broadcast"]["broadcast_id"])


def sounds_again(play: Json) -> bool:
    """Say whether what sounds will sound once more after a restart."""
    return play["broadcast"]["level"] == "emergency" and bool(play["repeated"] != play["sounding"][0])


def after_a_restart(play: Json, now: int) -> None:
    """Go on as section 12 says: what was sounding is lost, but for an emergency's, once."""
    sounding, emergency = play["sounding"], play["broadcast"]["level"] == "emergency"
    play["sounding"], play["rejoins"] = None, not emergency
    if sounding and sounding[1] > now:
        play["next_item"] -= 1
    elif sounding and sounds_again(play | {"sounding": sounding}):
        play["repeated"] = sounding[0]
        play["next_item"] -= 1
    elif sounding:
        Timeline.note(play, "power")
