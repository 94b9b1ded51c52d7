"""What must be true of a run that has ended, whatever was killed on the way: read from the store alone.

The laws that hold at any moment are the product's own (``runner.checkup.laws``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from checkpoints.reader import Reader
from checkpoints.records import ENDS, Championship, Lane, StageState, State, Verdict, Vote
from runner.checkup.law import Breach, Law
from runner.checkup.laws import broken

__all__ = ["Breach", "Law", "Seen", "breaches", "broken_laws"]


def broken_laws(read: Reader, experiments: int, votes_each: int | None = None, slots: int | None = None) -> list[str]:
    """One line for each law that a finished run breaks; how many were side by side is looked at where it is given."""
    return [breach.what for breach in breaches(read, experiments, votes_each, slots)]


def breaches(read: Reader, experiments: int, votes_each: int | None = None, slots: int | None = None) -> list[Breach]:
    """What is wrong with a finished run."""
    found = [breach for breach in broken(read) if breach.law is not Law.SLOTS]
    found += _ended(read, experiments)
    found += [] if votes_each is None else _votes_each(read, votes_each)
    return found if slots is None else [*found, *_slots(read, slots)]


class Seen:
    """What the store said of a run between two kills: none of it may be gone at the end, or say something else."""

    def __init__(self) -> None:
        self._done: dict[tuple[int, Lane, int], float | None] = {}
        self._votes: dict[str, Vote] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._reigns: set[tuple[int, float]] = set()
        self._numbers: set[int] = set()

    def look(self, read: Reader) -> None:
        """Remember what is there by now."""
        self._numbers |= {one.number for one in read.experiments()}
        self._done |= _done(read)
        self._votes |= {vote.key: vote for vote in read.votes()}
        self._verdicts |= {verdict.experiment: verdict for verdict in read.verdicts()}
        self._reigns |= {_reign(reign) for reign in read.championships()}

    def breaches(self, read: Reader) -> list[Breach]:
        """What was seen once and is no longer there."""
        return list(self._gone(read))

    def _gone(self, read: Reader) -> Iterator[Breach]:
        now = Seen()
        now.look(read)
        for number in self._numbers - now._numbers:
            yield Breach(Law.LOST, f"experiment {number} was there once")
        attempts = {(stage.experiment, stage.lane, stage.attempt) for stage in read.stages()}
        for (number, lane, attempt), at in self._done.items():
            if lane is Lane.EVALUATE and (number, lane, attempt + 1) in attempts:
                continue  # judged again: whom it was judged against reigned no longer
            if now._done.get((number, lane, attempt)) != at:
                yield Breach(Law.LOST, f"experiment {number} was done in {lane} once")
        for key, vote in self._votes.items():
            if now._votes.get(key) != vote:
                yield Breach(Law.LOST, f"vote {key} was another once")
        for number, verdict in self._verdicts.items():
            if now._verdicts.get(number) != verdict:
                yield Breach(Law.JUDGED, f"experiment {number} had another verdict once")
        for number, _ in self._reigns - now._reigns:
            yield Breach(Law.CHAMPION, f"experiment {number} was champion once")


def _ended(read: Reader, expected: int) -> Iterator[Breach]:
    everything = read.experiments()
    alive = [one for one in everything if one.state is not State.CANCELLED]
    if len(alive) != expected + 1:
        yield Breach(Law.LOST, f"{len(alive)} experiments instead of {expected} and the baseline")
    for one in everything:
        if one.state not in ENDS:
            yield Breach(Law.HANGS, f"experiment {one.number} hangs: {one.state}")
    if read.champion() is None:
        yield Breach(Law.CHAMPION, "nobody is champion")


def _slots(read: Reader, slots: int) -> Iterator[Breach]:
    """Passages that were open at the moment when another began."""
    for lane in Lane:
        spans = [(one.started_at, one.finished_at or 0.0) for one in read.stages() if one.lane is lane]
        most = max((sum(began <= at < ended for began, ended in spans) for at, _ in spans), default=0)
        if most > (slots if lane is Lane.EVALUATE else 1):
            yield Breach(Law.SLOTS, f"{most} experiments were in the {lane} lane at once")


def _votes_each(read: Reader, each: int) -> Iterator[Breach]:
    came = Counter(vote.experiment for vote in read.votes())
    for one in read.experiments():
        if one.state not in (State.CANCELLED, State.CRASHED) and came[one.number] != each:
            law = Law.VOTES if came[one.number] > each else Law.LOST
            yield Breach(law, f"experiment {one.number} has {came[one.number]} votes")


def _done(read: Reader) -> dict[tuple[int, Lane, int], float | None]:
    stages = (stage for stage in read.stages() if stage.state is StageState.DONE)
    return {(stage.experiment, stage.lane, stage.attempt): stage.finished_at for stage in stages}


def _reign(reign: Championship) -> tuple[int, float]:
    return reign.experiment, reign.since
