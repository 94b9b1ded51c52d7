"""Laws of lanes: what a state has behind it is done, once; what is open is where its experiment is; steps once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from checkpoints.reader import Reader
from checkpoints.records import Experiment, Json, Lane, Stage, StageState, State
from runner.checkup.facts import Facts
from runner.checkup.law import Breach, Law

_FINISHED = (State.KEPT, State.DISCARDED, State.INCONCLUSIVE, State.VETOED)

_BEHIND: Mapping[State, tuple[Lane, ...]] = {
    State.PROPOSED: (),
    State.TRAINING: (),
    State.TRAINED: (Lane.TRAIN,),
    State.UPLOADING: (Lane.TRAIN,),
    State.UPLOADED: (Lane.TRAIN, Lane.UPLOAD),
    State.EVALUATING: (Lane.TRAIN, Lane.UPLOAD),
    State.EVALUATED: (Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE),
    **dict.fromkeys(_FINISHED, tuple(Lane)),
}
"""Lanes that an experiment in a state has passed, each once; one that was cancelled or crashed ended in any of them."""

_IN: Mapping[State, Lane] = {
    State.TRAINING: Lane.TRAIN, State.UPLOADING: Lane.UPLOAD, State.EVALUATING: Lane.EVALUATE,
    State.EVALUATED: Lane.ANALYZE,
}  # fmt: skip
"""Where an experiment in a state may have an open passage. Analysis alone has no state that says it has begun."""


def breaches_of_lanes(read: Reader, facts: Facts) -> Iterator[Breach]:
    """What is wrong with passages through lanes."""
    yield from _done(facts.stages, facts.experiments)
    yield from _open(facts.stages, facts.experiments)
    yield from _trained_again(facts.stages)
    yield from _steps(read, facts.stages)


def _done(stages: list[Stage], experiments: Mapping[int, Experiment]) -> Iterator[Breach]:
    done = Counter((stage.experiment, stage.lane) for stage in stages if stage.state is StageState.DONE)
    for number, one in experiments.items():
        for lane in Lane if one.state in _BEHIND else ():
            times, wanted = done[number, lane], int(lane in _BEHIND[one.state])
            if times < wanted:
                yield Breach(Law.LOST, f"experiment {number} left no result in {lane}, and is {one.state}")
            elif times > wanted:
                yield Breach(Law.AGAIN, f"experiment {number} was done {times} times in {lane}, and is {one.state}")


def _open(stages: list[Stage], experiments: Mapping[int, Experiment]) -> Iterator[Breach]:
    opened = [(stage.experiment, stage.lane) for stage in stages if stage.state is StageState.STARTED]
    for number, lane in opened:
        state = experiments[number].state if number in experiments else None
        if state is None or _IN.get(state) is not lane:
            yield Breach(Law.HANGS, f"stage {number} {lane} is still open, and the experiment is {state or 'gone'}")
    for number, one in experiments.items():
        lane = _IN.get(one.state)
        if lane not in (None, Lane.ANALYZE) and (number, lane) not in opened:
            yield Breach(Law.HANGS, f"experiment {number} is {one.state}, and nothing of it is open in {lane}")
    for lane, side_by_side in Counter(lane for _, lane in opened).items():
        if lane is not Lane.EVALUATE and side_by_side > 1:
            yield Breach(Law.SLOTS, f"{side_by_side} experiments are in the {lane} lane at once")


def _trained_again(stages: list[Stage]) -> Iterator[Breach]:
    finished: set[int] = set()
    for stage in (one for one in stages if one.lane is Lane.TRAIN):
        if stage.experiment in finished:
            yield Breach(Law.AGAIN, f"experiment {stage.experiment} was trained again")
        if stage.state is StageState.DONE:
            finished.add(stage.experiment)


def _steps(read: Reader, stages: list[Stage]) -> Iterator[Breach]:
    """Steps in the metrics: each once, and none after the last that its training took."""
    for stage in stages:
        last = stage.result.get("steps")
        if stage.lane is not Lane.TRAIN or stage.state is not StageState.DONE or not isinstance(last, int):
            continue
        steps = [metric.step for metric in read.metrics(stage.experiment)]
        if len(set(steps)) < len(steps):
            yield Breach(Law.AGAIN, f"steps of experiment {stage.experiment} are in the metrics twice")
        if steps and max(steps) > last:
            what = f"experiment {stage.experiment} took {last} steps, and its metrics go to {max(steps)}"
            yield Breach(Law.AGAIN, what)
        if lost := _lost(stage, last, steps):
            several = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            yield Breach(Law.LOST, f"step {lost[0]}{several} of experiment {stage.experiment} is not in the metrics")


def _lost(stage: Stage, last: int, steps: list[int]) -> list[int]:
    """Steps that a training was to log and that are not there; nothing is known of who logs as it likes."""
    train: Json = stage.order.get("train") or {}
    every = train.get("logging_steps")
    wanted = range(every, last + 1, every) if isinstance(every, int) and every > 0 else ()
    return sorted(set(wanted) - set(steps))
