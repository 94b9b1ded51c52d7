"""What came of a person's steps, as the report tells it."""

from __future__ import annotations

from checkpoints.records import (
    Championship,
    Experiment,
    Interval,
    Intervention,
    Json,
    Outcome,
    Proposal,
    Row,
    State,
    Step,
    Verdict,
)
from runner.aftermath import aftermaths


def judged(number: int, at: float, rate: float, outcome: Outcome = Outcome.KEEP) -> Row:
    state = {Outcome.KEEP: State.KEPT, Outcome.CRASH: State.CRASHED}.get(outcome, State.DISCARDED)
    experiment = Experiment(number, state, Proposal("", "data", None, "test"), {}, None, None, 0.0, at, "")
    reference = Interval(rate, rate - 0.02, rate + 0.02)
    return Row(experiment, Verdict(number, outcome, 3, 1, 0, None, None, None, reference, "", at))


def step(
    number: int,
    at: float,
    kind: Step,
    effect: str = "done",
    done: Json | None = None,
    took: float = 0.1,
    **detail: object,
) -> Intervention:
    known: Json = dict(detail)
    return Intervention(number, kind, None, known, "", at, at + took if effect else None, effect, done or {})


ROWS = [
    judged(0, 10, 0.50),
    judged(1, 20, 0.55),
    judged(2, 30, 0.52, Outcome.DISCARD),
    judged(3, 40, 0.60),
    judged(4, 50, 0.00, Outcome.CRASH),
]
REIGNS = [
    Championship(0, 5, 20, ""),
    Championship(1, 20, 40, ""),
    Championship(3, 40, 45, ""),
    Championship(1, 45, None, "experiment 3 was vetoed"),
]

CROWNED: Json = {"before": [3, False], "then": [1, False]}
"""What the acknowledgement of the last reign's step says."""


def test_each_step_is_told_with_the_champions_win_rate_before_and_after_and_what_was_tried() -> None:
    steps = [step(1, 25, Step.ZOOM_OUT), step(2, 45 - 0.05, Step.VETO, done=CROWNED)]
    first, second = aftermaths(ROWS, REIGNS, steps, now=60)
    assert (first.before.champion, first.after.champion) == (1, 3)
    assert first.before.rate and first.before.rate.estimate == 0.55
    assert first.gain is not None and round(first.gain, 3) == 0.05
    assert (first.tried, first.kept) == (2, 1)
    assert (second.before.champion, second.after.champion, second.after.at) == (3, 1, 60)
    assert second.gain is not None and round(second.gain, 3) == -0.05
    assert (second.tried, second.kept) == (1, 0), "a crash was tried, too"


def test_what_a_step_did_counts_from_its_acknowledgement_and_not_for_the_step_asked_for_in_between() -> None:
    slow = step(1, 28, Step.VETO, done=CROWNED, took=17.1)
    quick = step(2, 41, Step.ZOOM_OUT, took=1)
    first, second = aftermaths(ROWS, REIGNS, [slow, quick], now=60)
    assert [first.intervention.number, second.intervention.number] == [2, 1]
    assert (first.before.champion, first.after.champion, first.tried) == (3, 3, 0)
    assert (second.before.champion, second.after.champion, second.tried) == (3, 1, 1)


def test_votes_refused_and_pending_steps_changed_nothing_and_are_left_out() -> None:
    steps = [
        step(1, 25, Step.VOTE),
        step(2, 26, Step.SKIP, "refused: experiment 2 has ended"),
        step(3, 27, Step.PIN),
        step(4, 28, Step.UNDO, done={"vetoed": []}, of=3),
        step(5, 29, Step.PAUSE, effect=""),
    ]
    told = aftermaths(ROWS, REIGNS, steps, now=60)
    assert [(one.intervention.number, one.undone) for one in told] == [(3, True), (4, False)]


def test_before_the_baseline_was_judged_no_win_rate_is_known() -> None:
    assert aftermaths(ROWS, REIGNS, [], now=7) == []
    [before_all] = aftermaths(ROWS, REIGNS, [step(1, 4, Step.ZOOM_OUT)], now=7)
    assert (before_all.before.champion, before_all.after.champion) == (None, 0)
    assert before_all.before.rate is None and before_all.after.rate is None and before_all.gain is None
