"""What is said of a number: intervals that mean what the screen says, and no run that diverged in a recipe's mean."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.records import Outcome
from lanes.analyze.metric_rule import Decide, MetricRule, Trial, next_of_baseline, settle
from lanes.analyze.noise import Value, noise_floor, pooled_noise
from lanes.measure import by_pairs
from lanes.order import PairScore
from runner.assembly import unlike
from runner.program import Program

LEAD = (0.50, 0.51, 0.49, 0.505, 0.495)
TESTED = Trial(LEAD, [0.50], [0.54], [0.53, 0.54, 0.535, *[0.53] * 5], [(0.4, 0.41, 0.42)])

value = st.one_of(st.none(), st.floats(-10, 10), st.sampled_from([0.5, -40.0, 1e6]))

PROGRAM = """---
goal: better
model: nowhere/model
data:
  sources: {a: nowhere/pairs}
  heldout: {pairs: nowhere/heldout, prompts: nowhere/prompts}
train: {eval_rows: 60}
evaluate:
  judge: eval_loss
  metric: {seeds: 3}
---
"""


def test_every_interval_is_one_of_95_per_cent_whatever_decides() -> None:
    decided = [settle(MetricRule(alpha=alpha), TESTED) for alpha in (0.02, 0.3)]
    effect, other = (one.effect for one in decided)
    assert effect and effect == other
    groups = [[*LEAD, 0.5], [0.53, 0.54, 0.535], [0.4, 0.41, 0.42]]
    freedom = 5 + 2 + 2
    sd = math.sqrt(sum((len(one) - 1) * stats.tvar(one) for one in groups) / freedom)
    half = stats.t.ppf(0.975, freedom) * sd * math.sqrt(1 / 3 + 1 / 6)
    assert effect.high - effect.estimate == pytest.approx(half)
    assert "at 95 %" in decided[0].reason and "one-sided t at α = 0.02" in decided[0].reason


def test_a_gain_within_its_interval_may_pass_the_test_and_the_sentence_says_which_test() -> None:
    near = Trial(LEAD, [0.50], [0.54], [0.506, 0.51, 0.512, *[0.51] * 5], [(0.4, 0.41, 0.42)])
    kept = settle(MetricRule(), near)
    assert kept.outcome is Outcome.KEEP
    assert kept.effect and kept.effect.low < 0 < kept.effect.estimate
    assert "better by a one-sided t at α = 0.1" in kept.reason


@pytest.mark.parametrize("far", [-40.0, 40.0])
def test_a_seed_that_diverged_is_no_part_of_what_a_recipe_is_said_to_be_worth(far: float) -> None:
    found = next_of_baseline(MetricRule(), (*LEAD, far))
    assert isinstance(found, Decide) and found.value
    assert found.value.estimate == pytest.approx(0.5)
    assert "over 5 seeds, 1 far off left out" in found.reason
    kept = settle(MetricRule(), Trial(LEAD, [0.5], [0.6], [0.6, 0.6, 0.61, 0.6, 0.6, 0.61, far, 0.59, None]))
    assert kept.outcome is Outcome.KEEP and kept.value
    assert kept.value.estimate == pytest.approx(0.6, abs=0.005)
    assert "4 seeds, 1 far off and 1 without a number left out" in kept.reason


def test_a_recipe_that_varies_more_than_the_others_has_not_diverged() -> None:
    """Its seeds are far apart by the noise of a champion that was hardly trained, and not by their own."""
    calm, wide = (0.5, 0.50001, 0.49999, 0.50001, 0.49999), (0.505, 0.53, 0.58)
    noise = pooled_noise([calm, wide])
    assert noise and noise.replicates == 8 and noise.sd > 0.01
    found = settle(MetricRule(confirm=2), Trial(calm, [0.5], [0.6], [0.49, 0.53]))
    assert found.outcome is Outcome.DISCARD
    assert "over 2 seeds against" in found.reason


def test_the_floor_of_a_champion_whose_two_seeds_lie_far_apart_is_around_both() -> None:
    found = noise_floor([*measured(0, (0.5, 0.501, 0.502)), *measured(1, (0.6, 0.601)), *measured(2, (0.5, 0.9))], 2)
    assert found and found.centre == pytest.approx(0.7)


@given(st.lists(value, max_size=6), st.lists(value, max_size=2), st.lists(value, max_size=1), st.lists(value))
def test_whatever_the_numbers_there_is_a_decision(
    champion: list[Value], beside: list[Value], screen: list[Value], fresh: list[Value]
) -> None:
    trial = Trial(champion, beside, screen or [0.1], fresh)
    for direction in ("max", "min"):
        found = settle(MetricRule(direction), trial)
        assert found.outcome is not Outcome.KEEP or len(trial.fresh) > 3
    noise_floor([*measured(0, champion), *measured(1, fresh)])


def test_a_pair_whose_reward_is_no_number_leaves_no_measurement() -> None:
    found = by_pairs("val_pref_acc", [PairScore(row="a", margin=1.0), PairScore(row="b", margin=math.nan)])
    assert found.value is None and "not every held-out pair has a number" in found.failure


@pytest.mark.parametrize(
    ("was", "becomes", "where"),
    [
        ("judge: eval_loss", "judge: val_pref_acc", "9: evaluate.judge"),
        ("  judge: eval_loss\n  metric: {seeds: 3}", "  judge: votes", "9: evaluate.judge"),
        ("nowhere/heldout", "nowhere/other", "6: data.heldout.pairs"),
        ("eval_rows: 60", "eval_rows: 90", "7: train.eval_rows"),
        ("nowhere/model", "nowhere/another", "3: model"),
        ("train: {", "recipe: {training: {max_length: 99}}\ntrain: {", "7: training.max_length"),
    ],
)
def test_an_edit_after_which_numbers_are_of_another_kind_is_refused_by_its_line(
    was: str, becomes: str, where: str
) -> None:
    before, after = (Program.parse(text, Path("/at/program.md")) for text in (PROGRAM, PROGRAM.replace(was, becomes)))
    (line,) = unlike(before, after)
    assert line.startswith(f"program.md:{where}: ") and "begin another run" in line


def test_an_edit_of_the_rule_or_of_the_budget_is_none_of_the_metric() -> None:
    after = PROGRAM.replace("seeds: 3", "seeds: 4, confirm: 2").replace("goal", "budget: {experiments: 9}\ngoal")
    assert unlike(*(Program.parse(text, Path("/at/program.md")) for text in (PROGRAM, after))) == ()
    votes = PROGRAM.replace("  judge: eval_loss\n  metric: {seeds: 3}", "  judge: votes")
    assert unlike(*(Program.parse(text, Path("/at/program.md")) for text in (votes, votes.replace("60", "70")))) == ()


def measured(experiment: int, values: list[Value] | tuple[float, ...]) -> list[Measurement]:
    return [
        Measurement(experiment, seed, Role.FRESH, HeldRows.OPEN, one, None, "" if one is not None else "died", 0, 1.0)
        for seed, one in enumerate(values)
    ]
