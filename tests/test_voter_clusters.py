"""Rankings whose intervals know whose votes they are: laws of the resampled voters, the place, and agreement."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.records import REFERENCE, Choice
from lanes.analyze import agreement as agreed
from lanes.analyze.bootstrap import draw, draw_with_place
from lanes.analyze.clustered import clustered, strengths
from lanes.analyze.comparable import anchor
from lanes.analyze.findings import Strength
from lanes.analyze.position import first_shown
from lanes.analyze.ranking import ELO, aggregate, fit
from lanes.analyze.simulation import World, simulated
from lanes.analyze.strengths import most_likely, of_cells
from lanes.analyze.vote_table import VoteTable, of_columns

Votes = Sequence[tuple[str, str, str, str]]
"""Model shown first, model shown second, choice, voter."""

models = st.sampled_from([REFERENCE, "m1", "m2", "m3"])
votes = st.lists(st.tuples(models, models, st.sampled_from(Choice), st.sampled_from("uvwxyz")), min_size=1, max_size=30)
few = settings(deadline=None, max_examples=25)


def table(votes: Votes) -> VoteTable:
    a, b, choice, voter = zip(*votes, strict=True)
    return of_columns(a, b, choice, voter)


def world(**changed: object) -> Votes:
    told = {"models": {REFERENCE: 1.0, "m1": 1.3, "m2": 2.0}, "votes": 600, "voters": 120, "prompts": 1} | changed
    drawn = simulated(World(**told))
    return list(zip(drawn.model_a, drawn.model_b, drawn.choice, drawn.voter, strict=True))


def widths(votes: Votes) -> dict[str, float]:
    ranking, _ = clustered(table(votes), {})
    return {one.model: one.reference.high - one.reference.low for one in ranking.standings if one.model != REFERENCE}


@few
@given(votes)
def test_resampled_voters_move_the_intervals_and_not_the_ranking(votes: Votes) -> None:
    plain = fit(aggregate((a, b, choice) for a, b, choice, _ in votes), {})
    ranking, _ = clustered(table(votes), {})
    assert ranking.unknown == plain.unknown
    before = {one.model: one for one in plain.standings}
    assert {one.model: one.votes for one in ranking.standings} == {name: one.votes for name, one in before.items()}
    for one in ranking.standings:
        assert one.elo == pytest.approx(before[one.model].elo, abs=1e-3)
        assert 0 <= one.reference.low <= one.reference.estimate <= one.reference.high <= 1


@few
@given(votes, st.randoms(use_true_random=False))
def test_the_order_in_which_votes_came_changes_nothing(votes: Votes, random) -> None:
    shuffled = random.sample(votes, len(votes))
    assert clustered(table(votes), {})[0] == clustered(table(shuffled), {})[0]


@few
@given(votes)
def test_showing_every_pair_the_other_way_round_mirrors_the_place_and_nothing_else(votes: Votes) -> None:
    other = {"a": "b", "b": "a", "tie": "tie"}
    plain, turned = table(votes), table([(b, a, other[choice], voter) for a, b, choice, voter in votes])
    if not plain.models:
        return
    one, _ = first_shown(plain, *draw_with_place(plain, 0))
    two, _ = first_shown(turned, *draw_with_place(turned, 0))
    assert (one.first is None) == (two.first is None)
    if one.first and two.first:
        assert one.first.estimate == pytest.approx(1 - two.first.estimate, abs=1e-4)


def test_other_names_give_the_same_strengths_and_intervals_under_other_names() -> None:
    named = {REFERENCE: "m2", "m1": REFERENCE, "m2": "m1"}
    plain = world()
    renamed = [(named[a], named[b], choice, voter) for a, b, choice, voter in plain]
    found, other = ({one.model: one for one in analysed(each)} for each in (plain, renamed))
    for model, strength in found.items():
        assert other[named[model]].strength.estimate == pytest.approx(strength.strength.estimate, rel=1e-6)
        assert width(other[named[model]]) == pytest.approx(width(strength), rel=0.15)


def test_twice_as_many_voters_narrow_the_intervals_by_the_square_root_of_two() -> None:
    plain = world()
    doubled = [*plain, *((a, b, choice, f"{voter} again") for a, b, choice, voter in plain)]
    for one, two in zip(widths(plain).values(), widths(doubled).values(), strict=True):
        assert one / two == pytest.approx(math.sqrt(2), rel=0.12)


def test_voters_who_cast_every_vote_twice_narrow_nothing() -> None:
    plain = world(correlation=0.3)
    assert widths([*plain, *plain]) == pytest.approx(widths(plain), rel=1e-6)


def test_correlated_votes_of_a_voter_widen_the_interval_where_counting_each_does_not() -> None:
    alike = world(models={REFERENCE: 1.0, "m1": 1.2}, votes=2000, voters=100, correlation=0.5)
    counted = fit(aggregate((a, b, Choice(choice)) for a, b, choice, _ in alike), {}).standings
    each = next(one.reference for one in counted if one.model == "m1")
    assert widths(alike)["m1"] > 2 * (each.high - each.low)


def test_one_voter_alone_says_nothing_of_how_voters_vary() -> None:
    ranking, _ = clustered(table([("m1", REFERENCE, "a", "u"), ("m1", REFERENCE, "b", "u")] * 50), {})
    rate = next(one.reference for one in ranking.standings if one.model == "m1")
    assert (rate.low, rate.estimate, rate.high) == (0.0, 0.5, 1.0)


def test_an_unbeaten_model_has_a_low_end_from_its_voters_and_no_high_end() -> None:
    many = clustered(table([("m1", REFERENCE, "a", f"voter {number}") for number in range(20)]), {})[0].standings[0]
    few = clustered(table([("m1", REFERENCE, "a", f"voter {number % 4}") for number in range(20)]), {})[0].standings[0]
    assert few.reference.low < many.reference.low < many.reference.estimate
    assert 0.5 < many.reference.low
    assert few.reference.high == many.reference.high == 1


def test_four_voters_leave_both_of_two_models_open_and_not_equal() -> None:
    best, other = analysed(
        [("m1", "m2", "a", "u"), ("m1", "m2", "a", "v"), ("m2", "m1", "b", "w"), ("m2", "m1", "a", "x")]
    )
    assert (best.model, other.model) == ("m1", "m2")
    assert best.elo.estimate - other.elo.estimate == pytest.approx(400 * math.log10(3))
    assert [(one.elo.low, one.elo.high) for one in (best, other)] == [(-math.inf, math.inf)] * 2


def test_votes_that_all_agree_leave_both_models_open_on_one_side() -> None:
    best, other = analysed([("m1", "m2", "a", f"voter {number}") for number in range(20)])
    assert best.elo.low < best.elo.estimate - 100 and best.elo.high == math.inf
    assert other.elo.high > other.elo.estimate + 100 and other.elo.low == -math.inf


def test_an_unbeaten_model_leaves_the_ends_of_the_others_alone() -> None:
    won = [("best", other, "a", f"v{number}") for number in range(60) for other in ("m1", "m2")]
    even = [("m1", "m2", choice, f"{choice}{number}") for number in range(50) for choice in "ab"]
    best, *others = strengths(tabled := table([*won, *even]), draw(tabled, anchor(tabled.cells())))
    assert best.elo.high == math.inf
    assert all(900 < one.elo.low < 1000 < one.elo.high < 1100 for one in others)


def test_strengths_have_mean_one_and_elo_mean_one_thousand() -> None:
    found = analysed(world())
    assert np.mean([one.strength.estimate for one in found]) == pytest.approx(1)
    assert np.mean([one.elo.estimate for one in found]) == pytest.approx(1000)


def test_the_advantage_of_the_place_is_found_and_taken_out() -> None:
    """The weaker model is shown first nine times of ten, so that the place hides how weak it is."""
    shown = [
        vote
        for at, vote in enumerate(world(models={"weak": 1.0, "strong": 1.5}, votes=40_000, voters=4000, first=0.65))
    ]
    shown = [vote for at, vote in enumerate(shown) if vote[0] == "weak" or at % 9 == 0]
    votes = table(shown)
    plain, placed = draw_with_place(votes, 0)
    position, corrected = first_shown(votes, plain, placed)
    assert position.first is not None and corrected is not None
    assert position.first.low < 0.65 < position.first.high and position.matters
    truth = ELO * math.log(1.5)
    apart, plainly = (ELO * abs(draws.theta[1] - draws.theta[0]) for draws in (corrected, plain))
    assert abs(apart - truth) < 20 < abs(plainly - truth)


def test_a_place_that_no_pair_was_turned_around_for_is_unknown() -> None:
    votes = table([("m1", "m2", "a", "u"), ("m1", "m2", "b", "v")])
    position, corrected = first_shown(votes, *draw_with_place(votes, 0))
    assert position.first is None and corrected is None
    assert "both orders" in position.sentence


def test_a_first_answer_that_always_won_tells_nothing_else() -> None:
    votes = table([(a, b, "a", f"v{n}") for n in range(10) for a, b in (("m1", "m2"), ("m2", "m1"))])
    position, corrected = first_shown(votes, *draw_with_place(votes, 0))
    assert position.first is None and corrected is None
    assert "shown first always won" in position.sentence


def test_orders_that_go_round_in_a_circle_tell_the_place() -> None:
    """Each of three models is shown first to the next, and wins three times of four: no strengths explain that."""
    ring = [("m1", "m2"), ("m2", "m3"), ("m3", "m1")]
    shown = [(a, b, "b" if n % 4 == 0 else "a", f"v{n}") for n in range(200) for a, b in ring]
    votes = table(shown)
    position, _ = first_shown(votes, *draw_with_place(votes, 0))
    assert position.first is not None and position.first.estimate == pytest.approx(0.75)
    line = table([vote for vote in shown if vote[0] != "m3"])
    assert first_shown(line, *draw_with_place(line, 0))[0].first is None


def test_davidsons_ties_bring_back_the_strengths_that_they_were_drawn_with() -> None:
    """Drawn from Davidson's model with ν = 0.8; half a win for each tie pulls the strengths together."""
    rng, strengths, often = np.random.default_rng(5), np.array([1.0, 1.5, 3.0]), 40_000
    cells = np.zeros((3, 3, 3))
    for i in range(3):
        for j in range(3):
            if i != j:
                weights = np.array([strengths[i], 0.8 * math.sqrt(strengths[i] * strengths[j]), strengths[j]])
                cells[i, j] = rng.multinomial(often, weights / weights.sum())
    games = of_cells(cells[None])
    found, half = most_likely(games, 0, ties="davidson"), most_likely(games, 0)
    assert np.exp(found.theta[0]) == pytest.approx(strengths, rel=0.02)
    assert math.exp(found.tie[0]) == pytest.approx(0.8, rel=0.02)
    assert math.exp(half.theta[0, 2]) < 2.5


def test_fleiss_kappa_is_that_of_its_author() -> None:
    """Fleiss 1971: fourteen raters, ten subjects, five categories; the worked example found in every account of it."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    kappa = agreed.fleiss(np.array(counts, dtype=np.float64))
    assert kappa is not None
    assert kappa.estimate == pytest.approx(0.210, abs=5e-4)
    assert kappa.low < kappa.estimate < kappa.high


def test_cohens_kappa_is_that_of_the_textbook_wherever_the_answers_stood() -> None:
    """Two voters, a hundred questions: both yes 45, both no 15, one alone yes 15 and 25: (0.6 − 0.54) / (1 − 0.54)."""
    judged = [("a", "a")] * 45 + [("a", "b")] * 15 + [("b", "a")] * 25 + [("b", "b")] * 15
    other = {"a": "b", "b": "a"}
    shown = [
        ("m1", "m2", choice, voter, f"question {number}") if voter == "u" or number % 3 else
        ("m2", "m1", other[choice], voter, f"question {number}")
        for number, both in enumerate(judged)
        for voter, choice in zip("uv", both, strict=True)
    ]  # fmt: skip
    found = agreed.agreement(of_columns(*zip(*shown, strict=True)))
    assert (found.cohen, found.pairs, found.items) == (pytest.approx(0.06 / 0.46), 1, 100)


def test_agreement_is_unknown_where_nobody_was_shown_the_same() -> None:
    apart = of_columns(["m1", "m1"], ["m2", "m2"], ["a", "a"], ["u", "v"], ["one", "two"])
    found = agreed.agreement(apart)
    assert (found.fleiss, found.cohen, found.items) == (None, None, 0)
    assert "unknown" in found.sentence


def analysed(votes: Votes) -> Sequence[Strength]:
    return strengths(tabled := table(votes), draw(tabled, 0))


def width(strength: Strength) -> float:
    return strength.elo.high - strength.elo.low
