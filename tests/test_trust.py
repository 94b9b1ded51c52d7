"""Trust in a metric: its order of the models beside the people's, with the chance that it is none."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lanes.analyze.bootstrap import Draws, draw
from lanes.analyze.clustered import strengths
from lanes.analyze.correlation import kendall, spearman
from lanes.analyze.findings import Trust
from lanes.analyze.simulation import World, simulated
from lanes.analyze.trust import trust
from lanes.analyze.vote_table import VoteTable, of_columns


def people(strength: list[float], votes: int = 6000, seed: int = 0) -> tuple[VoteTable, Draws]:
    """Votes on models m0, m1, … of these strengths."""
    models = {f"m{number}": each for number, each in enumerate(strength)}
    drawn = simulated(World(models, votes=votes, voters=votes // 3, prompts=1, seed=seed))
    table = of_columns(drawn.model_a, drawn.model_b, drawn.choice, drawn.voter)
    return table, draw(table, 0)


def trusted(value: list[float], strength: list[float], votes: int = 6000, higher_is_better: bool = True) -> Trust:
    table, draws = people(strength, votes)
    values = {f"m{number}": each for number, each in enumerate(value)}
    return trust("val_pref_acc", values, strengths(table, draws), draws, higher_is_better)


def test_four_models_that_agree_at_four_fifths_are_not_significant() -> None:
    found = trusted([0.5, 0.6, 0.8, 0.7], [1, 1.5, 2.25, 3.4])
    assert found.spearman is not None
    assert found.spearman.interval.estimate == pytest.approx(0.8)
    assert found.spearman.p == pytest.approx(1 / 3)
    assert (found.spearman.exact, found.spearman.permutations) == (True, 24)
    assert found.sentence == "val_pref_acc: not significant: four models can agree this well by chance (p = 0.33)."


def test_a_metric_that_errs_on_the_top_two_orders_the_field_and_does_not_separate_them() -> None:
    found = trusted([1, 2, 3, 4, 5, 6, 8, 7], [1.4**step for step in range(8)], votes=20_000)
    assert "orders the field" in found.sentence
    assert "does not separate the top two: it says m6, people say m7 (more than 99 % sure)" in found.sentence
    assert [(one.by_metric, one.by_people) for one in found.disagreements] == [("m6", "m7")]
    assert found.disagreements[0].sure > 0.99


def test_where_people_do_not_tell_the_top_two_apart_the_sentence_says_so() -> None:
    found = trusted([1, 2, 3, 4, 5, 6], [1, 2, 4, 8, 16, 16.2])
    assert "people do not tell the top two apart yet" in found.sentence


def test_a_loss_is_better_where_it_is_lower() -> None:
    found = trusted([6, 5, 4, 3, 2, 1], [1, 2, 4, 8, 16, 32], higher_is_better=False)
    assert found.spearman is not None and found.spearman.interval.estimate == pytest.approx(1)
    backwards = trusted([6, 5, 4, 3, 2, 1], [1, 2, 4, 8, 16, 32])
    assert "orders the field backwards" in backwards.sentence
    assert len(backwards.disagreements) == 15


def test_two_models_say_nothing_and_models_of_one_side_only_are_named() -> None:
    table, draws = people([1, 2, 4])
    found = trust("eval_loss", {"m0": 1.0, "m1": 0.5, "elsewhere": 2.0}, strengths(table, draws), draws)
    assert (found.spearman, found.kendall) == (None, None)
    assert found.left_out == ("elsewhere", "m2")
    assert "two models" in found.sentence


def test_fewer_votes_leave_the_correlation_wider() -> None:
    value, strength = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 1.1, 1.21, 1.33, 1.46, 1.61]
    few, many = (trusted(value, strength, votes).spearman for votes in (300, 60_000))
    assert few is not None and many is not None
    assert few.interval.high - few.interval.low > 2 * (many.interval.high - many.interval.low)


few_values = st.lists(st.integers(0, 4).map(float), min_size=3, max_size=5)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_both_correlations_and_their_p_are_those_of_scipy_and_of_counting_all_orders(data) -> None:
    value = data.draw(few_values)
    by_people = data.draw(st.lists(st.integers(0, 4).map(float), min_size=len(value), max_size=len(value)))
    nobody = np.zeros((1, len(value)))
    for ours, theirs in ((spearman, stats.spearmanr), (kendall, stats.kendalltau)):
        found = ours(np.array(value), np.array(by_people), nobody, 1)
        if len({*value}) == 1 or len({*by_people}) == 1:
            assert found is None
            continue
        expected = theirs(value, by_people).statistic
        orders = [theirs(order, by_people).statistic for order in itertools.permutations(value)]
        assert found is not None
        assert found.interval.estimate == pytest.approx(expected)
        assert found.p == pytest.approx(np.mean([abs(one) >= abs(expected) - 1e-9 for one in orders]))


def test_many_models_are_counted_over_a_stated_sample_of_orders() -> None:
    value = np.arange(20.0)
    mixed = np.array([*value[:10][::-1], *value[10:]])
    found = spearman(value, mixed, np.stack([mixed] * 10), 50)
    assert found is not None
    assert (found.exact, found.permutations) == (False, 9999)
    assert found.p == pytest.approx(float(stats.spearmanr(value, mixed).pvalue), abs=0.002)
    assert math.isclose(found.interval.low, found.interval.high)
    perfect = spearman(value, value, np.stack([value] * 10), 50)
    assert perfect is not None and perfect.p == 1 / 10_000
