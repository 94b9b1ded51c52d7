"""The rule of a scalar metric: what it trains, what it keeps, and what it calls noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.worlds import CELLS, night, summary
from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.records import Outcome
from lanes.analyze.comparing import RowsError
from lanes.analyze.metric_rule import (
    Decide,
    MetricRule,
    Train,
    Trial,
    Whose,
    next_of_baseline,
    next_step,
    settle,
)
from lanes.analyze.noise import Value, noise_floor, pooled_noise

RULE = MetricRule(metric="val_pref_acc")
LEAD = (0.50, 0.51, 0.49, 0.505, 0.495)
CHAMPION, CANDIDATE = Train(Whose.CHAMPION, Role.FRESH), Train(Whose.CANDIDATE, Role.FRESH)
SCREEN = Train(Whose.CANDIDATE, Role.SCREEN)

metric = st.floats(-10, 10).map(lambda value: round(value, 3))


def test_a_candidate_that_is_better_is_trained_once_then_three_times_then_five() -> None:
    trained, decision = _through(RULE, Trial(), champion=iter((*LEAD, 0.50)), candidate=iter([0.6] * 9))
    assert trained == [CHAMPION] * 5 + [SCREEN] + [CANDIDATE] * 3 + [CHAMPION] + [CANDIDATE] * 5
    assert decision.outcome is Outcome.KEEP
    assert decision.effect and decision.effect.low > 0
    assert "0.6 over 3 seeds against 0.5 over 6 seeds" in decision.reason


def test_one_that_does_not_pass_the_screen_costs_one_training() -> None:
    trained, decision = _through(RULE, Trial(LEAD), iter(()), iter([0.502]))
    assert trained == [SCREEN]
    assert decision.outcome is Outcome.DISCARD


def test_the_screening_run_is_no_part_of_the_test() -> None:
    _, decision = _through(RULE, Trial(LEAD), iter([0.50]), iter([0.53, 0.50, 0.49, 0.51]))
    assert decision.outcome is Outcome.DISCARD
    assert decision.effect and abs(decision.effect.estimate) < 1e-9


def test_a_keep_is_worth_what_its_own_fresh_seeds_say_and_not_those_that_kept_it() -> None:
    _, decision = _through(RULE, Trial(LEAD), iter([0.50]), iter([0.6, *[0.6] * 3, *[0.55] * 5]))
    assert decision.outcome is Outcome.KEEP
    assert decision.value and decision.value.estimate == pytest.approx(0.55)


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("rule", ["confirmed", "record", "previous_step"])
def test_a_training_without_a_number_is_the_worst_and_never_kept(direction: str, rule: str) -> None:
    ours = MetricRule(direction, rule)  # pyright: ignore[reportArgumentType]
    assert settle(ours, Trial(LEAD, screen=[None], previous=None)).outcome is Outcome.CRASH
    if rule == "confirmed":
        good = 0.9 if direction == "max" else 0.1
        found = next_step(ours, Trial(LEAD, [0.5], [good], [good, None]))
        assert isinstance(found, Decide) and found.outcome is Outcome.DISCARD


def test_a_champion_that_diverged_once_is_not_easier_to_beat() -> None:
    diverged = Trial((*LEAD, -40.0, None), [0.50], [0.52], [0.50, 0.49, 0.51])
    assert settle(RULE, diverged).outcome is Outcome.DISCARD


def test_a_spike_among_fresh_seeds_does_not_carry_a_candidate() -> None:
    spike = Trial(LEAD, [0.50], [0.52], [0.50, 0.49, 5.0])
    found = settle(RULE, spike)
    assert found.outcome is Outcome.DISCARD
    assert found.effect and abs(found.effect.estimate) < 0.02


def test_the_choice_of_held_out_rows_is_part_of_the_error() -> None:
    seeds_alone = Trial(LEAD, [0.50], [0.54], [0.53, 0.54, 0.535])
    few_rows = replace(seeds_alone, rows=RowsError(variance=0.03**2, rows=200))
    assert next_step(RULE, seeds_alone) == CANDIDATE  # kept: its own baseline is next
    assert settle(RULE, few_rows).outcome is Outcome.DISCARD


def test_a_broken_guard_discards_whatever_the_metric() -> None:
    found = settle(RULE, Trial(LEAD, screen=[9.0], broken="memory_gb 90 is above 80"))
    assert found.outcome is Outcome.DISCARD
    assert found.reason.startswith("memory_gb 90 is above 80")


def test_greedy_rules_compare_single_runs_as_their_names_say() -> None:
    trial = Trial(champion=[0.55], screen=[0.52], previous=0.51)
    assert settle(replace(RULE, rule="previous_step"), trial).outcome is Outcome.KEEP
    assert settle(replace(RULE, rule="record"), trial).outcome is Outcome.DISCARD


def test_a_baseline_is_trained_with_all_its_seeds_and_one_that_never_gives_a_number_is_given_up() -> None:
    assert next_of_baseline(RULE, LEAD[:4]) == CANDIDATE
    found = next_of_baseline(RULE, (*LEAD[:4], None, 0.5))
    assert isinstance(found, Decide) and found.outcome is Outcome.KEEP
    assert "5 replicates: a guess" in found.reason
    crashed = next_of_baseline(RULE, [None] * 10)
    assert isinstance(crashed, Decide) and crashed.outcome is Outcome.CRASH


@given(st.lists(metric, min_size=6, max_size=6), st.lists(metric, min_size=4, max_size=4), metric)
def test_a_metric_to_be_lowered_is_decided_as_its_mirror_image(
    lead: list[float], ours: list[float], other: float
) -> None:
    trial = Trial(lead[:5], lead[5:], ours[:1], ours[1:], [[other, other + 1]])
    mirrored = Trial(
        [-one for one in lead[:5]], [-lead[5]], [-ours[0]], [-one for one in ours[1:]], [[-other, -other - 1]]
    )
    found, mirror = settle(RULE, trial), settle(replace(RULE, direction="min"), mirrored)
    assert found.outcome is mirror.outcome


@given(st.lists(st.lists(metric, min_size=2, max_size=6), min_size=1, max_size=4), st.integers(-1000, 1000))
def test_progress_does_not_inflate_the_noise(groups: list[list[float]], gain: int) -> None:
    before = pooled_noise(groups)
    after = pooled_noise([[value + gain for value in groups[0]], *groups[1:]])
    assert before and after
    assert after.sd == pytest.approx(before.sd, abs=1e-6)


def test_runs_that_diverged_are_no_noise_and_few_replicates_are_called_a_guess() -> None:
    calm = pooled_noise([LEAD])
    wild = pooled_noise([(*LEAD, -40.0), (0.61, 0.6, None, math.nan)])
    assert calm and wild
    assert wild.sd == pytest.approx(calm.sd, rel=0.5)
    assert "a guess" in calm.words
    assert wild.replicates == 7
    full = pooled_noise([(*LEAD, 0.5, 0.51, 0.49)])
    assert full and "a guess" not in full.words


def test_the_floor_is_around_the_latest_recipe_with_fresh_seeds() -> None:
    found = noise_floor([*_measured(0, LEAD), *_measured(3, (0.60, 0.61, 0.59))])
    assert found
    assert found.centre == pytest.approx(0.60)
    assert found.low < 0.59 and found.high > 0.61 and found.replicates == 8
    assert noise_floor([]) is None


def test_nights_under_our_rule_claim_little_more_than_they_gained() -> None:
    found = summary([night(RULE, CELLS["D"], f"test/{number}") for number in range(60)])
    assert found["overstated"] <= 0.4
    assert found["below_start"] <= 0.1
    greedy = summary([night(replace(RULE, rule="previous_step"), CELLS["D"], f"test/{n}") for n in range(20)])
    assert greedy["overstated"] > 3


def _through(
    rule: MetricRule, trial: Trial, champion: Iterator[float], candidate: Iterator[float]
) -> tuple[list[Train], Decide]:
    """Train as asked, until the decision."""
    trained: list[Train] = []
    while isinstance(step := next_step(rule, trial), Train):
        trained.append(step)
        if step.whose is Whose.CHAMPION:
            trial = replace(trial, beside=[*trial.beside, next(champion)])
        elif step.role is Role.SCREEN:
            trial = replace(trial, screen=[next(candidate)])
        else:
            trial = replace(trial, fresh=[*trial.fresh, next(candidate)])
    return trained, step


def _measured(experiment: int, values: Sequence[Value]) -> list[Measurement]:
    return [
        Measurement(
            experiment, seed, Role.FRESH, HeldRows.OPEN, value, None, "" if value is not None else "died", 0, 1.0
        )
        for seed, value in enumerate(values)
    ]
