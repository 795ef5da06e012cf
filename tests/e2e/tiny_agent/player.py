"""Lets the timeline decide, stores what it decided, and only then lets it sound. Tells what happened (section 14)."""

import asyncio
from typing import Any

from .basics import DAY, Json
from .clock import Clock
from .hours import meets
from .keeper import Keeper
from .output import Output
from .sound import Sound
from .store import Store
from .timeline import NEW_PLAY, Timeline, after_a_restart, sounds_again


class Player:
    """The plays of the node."""

    def __init__(self, store: Store, clock: Clock, keeper: Keeper, output: Output) -> None:
        self._store, self._kept, self._clock, self._keeper, self._output = store, store.kept, clock, keeper, output
        self._is_over = False
        now, ahead = clock.now(), self._kept["ahead"]
        if ahead and ahead["at"] <= now and keeper.settings:
            self._kept["plays"] = ahead["plays"]
            self._outcomes(ahead["tells"], ahead["at"])
        self._kept["ahead"] = None
        for play in self._kept["plays"].values():
            if play["began_at"] is not None and not play["outcome"]:
                after_a_restart(play, now)
        store.save(clock)

    async def run(self) -> None:
        while not self._is_over:
            if not self._output.is_alive():
                raise RuntimeError("the output has ended")
            self.step()
            await asyncio.sleep(0.05)

    def shut_down(self) -> None:
        """End the output; what sounded is over, unless a restart lets it sound again."""
        self._is_over = True
        self._output.keep(set())
        self._output.close()
        for play in self._kept["plays"].values():
            sounds = play["sounding"] and not play["outcome"] and play["sounding"][1] <= self._clock.now()
            if sounds and not sounds_again(play):
                Timeline.note(play, "shutdown")
        self._kept["ahead"] = None
        self._store.save(self._clock)

    def step(self) -> None:
        """Evaluate for now, look a moment ahead, save, and only then let it sound."""
        if self._keeper.settings is None or self._is_over:
            return
        now = self._clock.now() - self._output.lag()
        ahead, before, tells = self._kept["ahead"], dict(self._kept["plays"]), []
        if ahead and ahead["at"] <= now:
            self._kept["plays"], tells = ahead["plays"], ahead["tells"]
        self._merge(now)
        timeline = Timeline(self._keeper, self._kept["plays"], now)
        timeline.evaluate()
        placed = self._look_ahead(timeline)
        self._kept["plays"], self._kept["ahead"] = timeline.plays, placed
        wanted = {
            (name, play["sounding"][0], play["sounding"][1]): play
            for plays in (timeline.plays, placed["plays"] if placed else {})
            for name, play in plays.items()
            if play["sounding"]
        }
        self._began(self._output.sounds)
        self._harvest(self._output.keep(set(wanted)))
        self._outcomes([*tells, *timeline.tells], now)
        self._tell_cached(now)
        new = self._arm(wanted, now)
        if self._store.unsaved or new or (placed is None) != (ahead is None) or self._kept["plays"] != before:
            self._store.save(self._clock)
        for sound in new:
            self._output.place(sound)

    def plays(self) -> list[Json]:
        return list(self._kept["plays"].values())

    def now_playing(self) -> Json | None:
        """Give the play that sounds, with its broadcast's name."""
        found = None
        for name, play in self._kept["plays"].items():
            if play["sounding"] and not play["outcome"]:
                found = {"broadcast_id": name, "sounding": play["sounding"]}
        return found

    def _merge(self, now: int) -> None:
        """Bring the plays in line with what is listed now."""
        self._keeper.leave_scopes()
        listed, plays = self._keeper.listed(), self._kept["plays"]
        for name, found in listed.items():
            if name not in plays:
                plays[name] = NEW_PLAY | found | {"told": ["received"], "heard": []}
                self._store.tell(name, now, state="received")
            elif not plays[name]["outcome"]:
                begun = plays[name]["began_at"] is not None
                plays[name] |= {"lease": found["lease"], "urgent": found["urgent"]} if begun else found
        known = self._keeper.knows_all()
        for name, play in [(name, play) for name, play in plays.items() if name not in listed]:
            gone = play["began_at"] is None and not play["outcome"]
            if gone and known and play["broadcast"]["latest_end_at"] > now:
                play["outcome"] = "cancelled"
                self._store.tell(name, now, outcome="cancelled", reason="withdrawn")
            if play["broadcast"]["latest_end_at"] < now - 30 * DAY:
                del plays[name]

    def _look_ahead(self, timeline: Timeline) -> Json | None:
        """Give the plays as they will be when, within a moment, the next sound begins."""
        for at in timeline.soon():
            before = {name: play["next_item"] for name, play in timeline.plays.items()}
            timeline = Timeline(self._keeper, timeline.plays, at)
            timeline.evaluate()
            # A slot that passes in silence is taken at its very instant, too: what follows is counted from it.
            if any(play["next_item"] > before[name] for name, play in timeline.plays.items()):
                return {"at": at, "plays": timeline.plays, "tells": timeline.tells}
            if timeline.tells:
                break  # first let it happen
        return None

    def _arm(self, wanted: dict[tuple[str, int, int], Json], now: int) -> list[Sound]:
        """Decode what the output does not have yet."""
        new, shelf = [], self._keeper.shelf
        for key, play in wanted.items():
            voice = self._keeper.voices(play)[key[1]]
            if all(sound.key != key for sound in self._output.sounds) and shelf.load(voice):
                gain_mb = self._gain_mb(play, voice, key[2])
                silent = play["broadcast"]["drill"] == "silent"
                new.append(Sound(key, shelf.audio(voice), voice["length_ms"], gain_mb, silent=silent))
                if "armed" not in play["told"]:
                    play["told"].append("armed")
                    self._store.tell(key[0], now, state="armed")
        return new

    def _gain_mb(self, play: Json, voice: Json, begins_at: int) -> int:
        settings = self._keeper.settings
        gain, night = voice["gain_mb"] + settings["volume_mb"] + settings["trim_mb"], settings["night_cap"]
        caps = [settings["cap_mb"]]
        if night and play["broadcast"]["level"] != "emergency":
            caps += [night["cap_mb"]] * meets([night["window"]], settings["zone"], begins_at, begins_at + 1)
        return int(min([gain, *caps]))

    # What is told.

    def _tell_cached(self, now: int) -> None:
        for name, play in self._kept["plays"].items():
            voices = [] if play["outcome"] else list(self._keeper.voices(play).values())
            told = {"cached", "armed"} & set(play["told"])
            if voices and not told and all(map(self._keeper.shelf.present, voices)):
                play["told"].append("cached")
                self._store.tell(name, now, state="cached")

    def _began(self, sounds: list[Sound]) -> None:
        for sound in sounds:
            if sound.error_ms is not None and not sound.told:
                sound.told = True
                at, error_ms = sound.begins_at + round(sound.error_ms * 1000), round(sound.error_ms, 3)
                self._store.tell(sound.broadcast_id, at, state="playing", item=sound.item, start_error_ms=error_ms)

    def _harvest(self, gone: list[Sound]) -> None:
        """Keep the evidence of what has left the output."""
        self._began(gone)
        for sound in gone:
            if sound.error_ms is not None:
                heard: Json = {"item": sound.item, "frames": sound.consumed, "proved": sound.proved()}
                heard |= {"underruns": sound.underruns, "error_ms": round(sound.error_ms, 3)}
                self._kept["plays"][sound.broadcast_id]["heard"].append(heard)

    def _outcomes(self, tells: list[Any], at: int) -> None:
        """Write outcomes with their evidence."""
        for name, fields in tells:
            play = self._kept["plays"][name]
            outcome, reason, heard = fields["outcome"], fields["reason"], play["heard"]
            if outcome not in {"played", "interrupted"}:
                by = fields["by"] if reason == "already_begun" else None
                self._store.tell(name, at, outcome=outcome, reason=reason, by=by)
                continue
            proved, voices = {one["item"] for one in heard if one["proved"]}, self._keeper.voices(play)
            if outcome == "played" and not proved >= set(voices):
                outcome, reason = "interrupted", "output_lost"
            play["outcome"] = outcome
            self._store.tell(
                name,
                at,
                outcome=outcome,
                reason=reason if outcome == "interrupted" else None,
                by=fields["by"] if outcome == "interrupted" else None,
                requested_ms=sum(voice["length_ms"] for voice in voices.values()),
                played_ms=sum(one["frames"] for one in heard) // 48,
                start_error_ms=heard[0]["error_ms"] if heard else None,
                underruns=sum(one["underruns"] for one in heard),
                grade=int(bool(heard) and play["broadcast"]["drill"] != "silent"),
                simulated=True,
            )
