"""The search policy: where the next change branches from, by the posterior of every judged experiment."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import BASELINE, Change, Experiment, Interval, Outcome, Proposal, Row, State, Verdict
from runner.agent.search import base, nodes

ENDS = {
    Outcome.KEEP: State.KEPT,
    Outcome.DISCARD: State.DISCARDED,
    Outcome.INCONCLUSIVE: State.INCONCLUSIVE,
    Outcome.CRASH: State.CRASHED,
}


def row(number: int, outcome: Outcome, gain: float | None, parent: int = 0, opponent: int = 0, sd: float = 0.01) -> Row:
    """An experiment that was judged, with its gain over its opponent."""
    change = Change("training.beta", 0.1, number) if number else None
    experiment = Experiment(
        number, ENDS[outcome], Proposal("why", "loss", change, "agent"), {}, parent if number else None,
        opponent if number else None, 0.0, 1.0, "",
    )  # fmt: skip
    effect = None if gain is None else Interval(gain, gain - 1.96 * sd, gain + 1.96 * sd)
    verdict = Verdict(number, outcome, 0, 0, 0, None, None, None, None, "", float(number), effect=effect)
    return Row(experiment, verdict)


START = row(BASELINE, Outcome.KEEP, None)


def chosen(rows: list[Row], champion: int, seeds: int = 400) -> dict[int, int]:
    found: dict[int, int] = {}
    for seed in range(seeds):
        number = base(rows, champion, seed)
        found[number] = found.get(number, 0) + 1
    return found


def test_before_anything_is_judged_the_champion_is_branched_from() -> None:
    assert base([START], BASELINE, 1) == BASELINE
    assert base([], BASELINE, 1) == BASELINE


def test_the_better_and_the_less_certain_is_branched_from_more_often() -> None:
    kept, near = row(1, Outcome.KEEP, 0.10), row(2, Outcome.INCONCLUSIVE, 0.09, sd=0.05)
    poor = row(3, Outcome.DISCARD, -0.10)
    found = chosen([START, kept, near, poor], 1)
    assert found[1] > found[2] > 20
    assert found.get(3, 0) == 0


def test_a_gain_is_counted_from_its_opponents() -> None:
    rows = [START, row(1, Outcome.KEEP, 0.1), row(2, Outcome.INCONCLUSIVE, 0.0, parent=1, opponent=1)]
    by_number = {node.experiment: node for node in nodes(rows)}
    assert by_number[2].gain == by_number[1].gain > 0.09
    assert by_number[2].sd > by_number[1].sd


def test_what_many_have_branched_from_promises_less() -> None:
    twins = [START, row(1, Outcome.KEEP, 0.1), row(2, Outcome.INCONCLUSIVE, 0.1)]
    tried = [row(number, Outcome.DISCARD, -0.1, parent=1) for number in range(3, 9)]
    assert chosen(twins, 1)[1] > 120
    assert chosen([*twins, *tried], 1).get(1, 0) < 20


def test_a_veto_takes_a_branch_out_of_the_search_with_all_that_contains_it() -> None:
    vetoed = row(1, Outcome.KEEP, 0.3)
    vetoed = replace(vetoed, experiment=replace(vetoed.experiment, state=State.VETOED))
    child = replace(row(2, Outcome.INCONCLUSIVE, 0.3, parent=1), contains=frozenset({0, 1}))
    assert set(chosen([START, vetoed, child, row(3, Outcome.CRASH, None)], 0)) == {BASELINE}


def test_the_same_rows_and_seed_give_the_same_choice() -> None:
    rows = [START, *(row(number, Outcome.INCONCLUSIVE, 0.0, sd=0.1) for number in range(1, 6))]
    assert [base(rows, 0, 3) for _ in range(5)] == [base(rows, 0, 3)] * 5
    assert len(chosen(rows, 0)) > 3


@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.0, 0.3), st.integers(0, 20)), max_size=20), st.integers())
def test_whatever_was_measured_it_chooses_one_that_may_be_branched_from(
    found: list[tuple[float, float, int]], seed: int
) -> None:
    rows = [START]
    for number, (gain, sd, opponent) in enumerate(found, 1):
        rows.append(row(number, Outcome.INCONCLUSIVE, gain, opponent=min(opponent, number - 1), sd=sd))
    assert base(rows, 0, seed) in {node.experiment for node in nodes(rows)}
