"""What must be true of a run that has ended, whatever was killed on the way: read from the store alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from checkpoints.reader import Reader
from checkpoints.records import BASELINE, ENDS, Lane, Outcome, StageState, State


def broken_laws(read: Reader, experiments: int, votes_each: int | None = None) -> list[str]:
    """One line for each law that a finished run breaks."""
    found: list[str] = []
    everything = read.experiments()
    judged = Counter(verdict.experiment for verdict in read.verdicts())
    stages = read.stages()
    done = Counter((stage.experiment, stage.lane) for stage in stages if stage.state is StageState.DONE)
    alive = [one for one in everything if one.state is not State.CANCELLED]
    if len(alive) != experiments + 1:
        found.append(f"{len(alive)} experiments instead of {experiments} and the baseline")
    if [one.number for one in everything] != list(range(len(everything))):
        found.append("numbers are missing or twice")
    for one in everything:
        if one.state not in ENDS:
            found.append(f"experiment {one.number} hangs: {one.state}")
        expected = 0 if one.state is State.CANCELLED else 1
        if judged[one.number] != expected:
            found.append(f"experiment {one.number} has {judged[one.number]} verdicts")
        if one.state not in (State.CANCELLED, State.CRASHED):
            found += [
                f"experiment {one.number} left no result in {lane}" for lane in Lane if done[one.number, lane] != 1
            ]
            if votes_each is not None and len(read.votes(one.number)) != votes_each:
                found.append(f"experiment {one.number} has {len(read.votes(one.number))} votes")
    found += [f"stage {s.experiment} {s.lane} is still open" for s in stages if s.state is StageState.STARTED]
    reigns = read.championships()
    if sum(reign.until is None for reign in reigns) != 1:
        found.append("not exactly one champion")
    found += [f"reigns overlap at {b.since}" for a, b in pairwise(reigns) if a.until is None or a.until > b.since]
    kept = [v.experiment for v in read.verdicts() if v.outcome is Outcome.KEEP and v.experiment != BASELINE]
    crowned = [reign.experiment for reign in reigns if reign.experiment != BASELINE]
    if sorted(set(crowned)) != sorted(kept):
        found.append(f"kept {kept}, but crowned {crowned}")
    return found
