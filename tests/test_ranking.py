"""The ranking: against published coefficients, and where the data leave something open."""

import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import VOTES, needs_published_votes, published, rows

from checkpoints.records import REFERENCE, Choice, Standing
from lanes.analyze.ranking import ELO, Ranking, aggregate, fit, tabulate
from lanes.analyze.strengths import most_likely, of_cells
from lanes.analyze.vote_table import of_columns

type_of_choice = {"left": Choice.A, "right": Choice.B, "tie": Choice.TIE}
models = st.sampled_from([REFERENCE, "m1", "m2", "m3", "m4"])
ballots = st.lists(st.tuples(models, models, st.sampled_from(Choice)), max_size=40)


def by_model(ranking: Ranking) -> dict[str, Standing]:
    return {standing.model: standing for standing in ranking.standings}


def strength(standing: Standing) -> float:
    return (standing.elo - 1000) / ELO


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def deviation(standing: Standing) -> float:
    return (logit(standing.reference.high) - logit(standing.reference.low)) / (2 * 1.959964)


@needs_published_votes
def test_citations_give_the_published_coefficients() -> None:
    counted = {
        (row["winner_cited"], row["loser_citing"], Choice.A): int(row["count"])
        for row in rows("classics/citations.csv")
    }
    found = by_model(fit(tabulate(counted), {}, reference="Biometrika"))
    for journal, coefficient in published()["citations"]["mle"].items():
        assert strength(found[journal]) == pytest.approx(coefficient, abs=6e-5)


@needs_published_votes
def test_baseball_gives_the_published_coefficients_and_standard_errors() -> None:
    counted: dict[tuple[str, str, Choice], int] = {}
    for row in rows("classics/baseball.csv"):
        counted[row["home.team"], row["away.team"], Choice.A] = int(row["home.wins"])
        counted[row["home.team"], row["away.team"], Choice.B] = int(row["away.wins"])
    found = by_model(fit(tabulate(counted), {}, reference="Baltimore"))
    for team, (coefficient, error) in published()["baseball"]["mle"].items():
        assert strength(found[team]) == pytest.approx(coefficient, abs=6e-5)
        assert deviation(found[team]) == pytest.approx(error, abs=6e-5)


@needs_published_votes
def test_baseball_gives_the_published_home_advantage() -> None:
    played = [
        (row["home.team"], row["away.team"], choice)
        for row in rows("classics/baseball.csv")
        for choice, times in (("a", row["home.wins"]), ("b", row["away.wins"]))
        for _ in range(int(times))
    ]
    games = of_columns(*zip(*played, strict=True))
    origin = games.models.index("Baltimore")
    found = most_likely(of_cells(games.cells()[None]), origin, position=True)
    expected = published()["baseball"]["with_home_effect"]
    assert found.first[0] == pytest.approx(expected.pop("at.home")[0], abs=6e-5)
    for team, (coefficient, _) in expected.items():
        assert found.theta[0, games.models.index(team)] == pytest.approx(coefficient, abs=6e-5)


@needs_published_votes
def test_the_worked_example_of_wikipedia_comes_out() -> None:
    counted = {
        (row["winner"], row["loser"], Choice.A): int(row["count"]) for row in rows("classics/wikipedia_example.csv")
    }
    found = {name: strength(s) for name, s in by_model(fit(tabulate(counted), {}, reference="A")).items()}
    mean = sum(found.values()) / len(found)
    for item, expected in published()["wikipedia_example"]["geometric_mean_1"].items():
        assert math.exp(found[item] - mean) == pytest.approx(expected, abs=6e-4)


@needs_published_votes
@pytest.mark.parametrize("name", ["choix_pairwise_1.json", "choix_pairwise_2.json"])
def test_small_cycles_give_the_published_estimate(name: str) -> None:
    data = json.loads((VOTES / "classics" / name).read_text())
    found = by_model(fit(aggregate((str(w), str(x), Choice.A) for w, x in data["data"]), {}, reference="0"))
    for item, expected in enumerate(data["ml_est"]):
        assert strength(found[str(item)]) == pytest.approx(expected - data["ml_est"][0], abs=1e-7)


@needs_published_votes
@pytest.mark.parametrize("name", ["simple", "food", "llmfao"])
def test_crowd_votes_with_ties_give_the_published_bradley_terry_scores(name: str) -> None:
    path = "llmfao/crowd-comparisons.csv" if name == "llmfao" else f"llmfao/evalica_{name}.csv"
    votes = [(row["left"], row["right"], type_of_choice[row["winner"]]) for row in rows(path)]
    golden = {
        row["item"]: float(row["score"])
        for row in rows(f"llmfao/evalica_{name}-golden.csv")
        if row["algorithm"] == "bradley_terry"
    }
    found = by_model(fit(aggregate(votes), {}, reference=next(iter(golden))))
    scores = {item: math.exp(strength(standing)) for item, standing in found.items()}
    total, golden_total = sum(scores.values()), sum(golden.values())
    assert scores.keys() == golden.keys()
    for item, score in golden.items():
        assert scores[item] / total == pytest.approx(score / golden_total, rel=1e-3)


def test_two_models_alone_get_their_raw_win_rate() -> None:
    found = by_model(fit(tabulate({("m1", REFERENCE, Choice.A): 60, (REFERENCE, "m1", Choice.A): 40}), {"m1": 1}))
    assert found["m1"].reference.estimate == pytest.approx(0.6)
    assert found["m1"].elo == pytest.approx(1000 + 400 * math.log10(1.5))
    assert deviation(found["m1"]) == pytest.approx(math.sqrt(1 / 60 + 1 / 40), abs=1e-6)
    assert (found["m1"].experiment, found["m1"].votes) == (1, 100)
    assert (found[REFERENCE].experiment, found[REFERENCE].votes, found[REFERENCE].elo) == (None, 100, 1000)
    assert found[REFERENCE].reference.low == found[REFERENCE].reference.high == 0.5


def test_strength_reaches_the_reference_through_a_common_opponent() -> None:
    counted = {
        ("m1", REFERENCE, Choice.A): 60,
        (REFERENCE, "m1", Choice.A): 40,
        ("m2", "m1", Choice.A): 60,
        ("m1", "m2", Choice.A): 40,
    }
    found = by_model(fit(tabulate(counted), {}))
    assert logit(found["m2"].reference.estimate) == pytest.approx(2 * math.log(1.5))
    assert deviation(found["m2"]) == pytest.approx(math.sqrt(2) * deviation(found["m1"]))


def test_ties_alone_make_models_equal() -> None:
    found = by_model(fit(tabulate({("m1", REFERENCE, Choice.TIE): 10}), {}))
    assert found["m1"].elo == pytest.approx(1000)
    assert found["m1"].reference.low < 0.5 < found["m1"].reference.high


@pytest.mark.parametrize("wins", [1, 20, 1_000_000])
def test_an_unbeaten_model_has_a_lower_end_and_no_upper_end(wins: int) -> None:
    found = by_model(fit(tabulate({("m1", REFERENCE, Choice.A): wins}), {}))["m1"]
    assert found.reference.high == 1
    assert 0 < found.reference.low < found.reference.estimate < 1
    assert logit(found.reference.estimate) == pytest.approx(math.log((wins + 0.5) / 0.5))


def test_a_model_that_never_won_has_an_upper_end_and_no_lower_end() -> None:
    found = by_model(fit(tabulate({(REFERENCE, "m1", Choice.A): 20}), {}))["m1"]
    assert found.reference.low == 0
    assert 0 < found.reference.estimate < found.reference.high < 0.5


def test_a_longer_unbeaten_row_says_more() -> None:
    few, many = (by_model(fit(tabulate({("m1", REFERENCE, Choice.A): n}), {}))["m1"].reference for n in (5, 50))
    assert few.low < many.low
    assert few.estimate < many.estimate


def test_an_unbeaten_newcomer_does_not_move_the_others() -> None:
    settled = {("m1", REFERENCE, Choice.A): 60, ("m1", REFERENCE, Choice.B): 40}
    before = by_model(fit(tabulate(settled), {}))["m1"]
    after = by_model(fit(tabulate(settled | {("m2", "m1", Choice.A): 3}), {}))["m1"]
    assert after.elo == pytest.approx(before.elo)
    assert after.reference.low == pytest.approx(before.reference.low)


def test_models_that_never_met_the_others_are_unknown_and_not_equal() -> None:
    ranking = fit(aggregate([("m1", REFERENCE, Choice.A), ("m3", "m2", Choice.A), ("m2", "m3", Choice.A)]), {})
    assert ranking.unknown == ("m2", "m3")
    assert [standing.model for standing in ranking.standings] == ["m1", REFERENCE]


def test_two_models_that_both_only_beat_a_third_are_not_comparable() -> None:
    ranking = fit(aggregate([(REFERENCE, "m1", Choice.A), ("m2", "m1", Choice.A)]), {})
    assert ranking.unknown == ("m2",)


def test_without_a_vote_on_the_reference_all_is_unknown() -> None:
    ranking = fit(aggregate([("m1", "m2", Choice.A)]), {})
    assert ranking == Ranking((), ("m1", "m2"))
    assert fit(aggregate([]), {}) == Ranking((), ())


def test_a_model_against_itself_counts_for_nothing() -> None:
    votes = [("m1", REFERENCE, Choice.A), (REFERENCE, "m1", Choice.A)]
    assert fit(aggregate([*votes, ("m1", "m1", Choice.A), ("m2", "m2", Choice.TIE)]), {}) == fit(aggregate(votes), {})


def test_votes_counted_by_the_database_rank_as_votes_one_by_one() -> None:
    votes = [("m1", REFERENCE, Choice.A)] * 5 + [(REFERENCE, "m1", Choice.A)] * 3 + [("m1", REFERENCE, Choice.TIE)] * 2
    counted = {("m1", REFERENCE, "a"): 5, (REFERENCE, "m1", "a"): 3, ("m1", REFERENCE, "tie"): 2}
    assert fit(tabulate(counted), {}) == fit(aggregate(votes), {})


def test_the_longest_chain_of_one_sided_results_still_fits() -> None:
    names = [REFERENCE, *(f"exp-{n:04d}" for n in range(1, 100))]
    counted = {(better, worse, Choice.A): 1_000_000 for worse, better in itertools.pairwise(names)}
    ranking = fit(tabulate(counted), {})
    assert [standing.model for standing in ranking.standings] == names[::-1]
    assert all(math.isfinite(standing.elo) for standing in ranking.standings)


def test_one_sided_results_of_very_different_sizes_still_fit() -> None:
    votes = {("m2", REFERENCE): 10**8, ("m2", "m3"): 10**9, ("m3", "m1"): 10**7, ("m1", REFERENCE): 10}
    ranking = fit(tabulate({(a, b, Choice.A): count for (a, b), count in votes.items()}), {})
    assert [standing.model for standing in ranking.standings] == ["m2", "m3", "m1", REFERENCE]


@settings(deadline=None)
@given(ballots)
def test_every_model_is_either_ranked_within_bounds_or_named_as_unknown(votes: list) -> None:
    ranking = fit(aggregate(votes), {})
    ranked = [standing.model for standing in ranking.standings]
    voted_on = {model for a, b, _ in votes if a != b for model in (a, b)}
    assert sorted([*ranked, *ranking.unknown]) == sorted(voted_on)
    assert [s.elo for s in ranking.standings] == sorted((s.elo for s in ranking.standings), reverse=True)
    for standing in ranking.standings:
        rate = standing.reference
        assert 0 <= rate.low <= rate.estimate <= rate.high <= 1
        assert standing.votes == sum(standing.model in (a, b) for a, b, _ in votes if a != b)


@settings(deadline=None)
@given(ballots, st.permutations(["m1", "m2", "m3", "m4"]))
def test_other_names_give_the_same_ranking_under_other_names(votes: list, names: list[str]) -> None:
    renamed = {REFERENCE: REFERENCE} | dict(zip(["m1", "m2", "m3", "m4"], names, strict=True))
    plain = by_model(fit(aggregate(votes), {}))
    other = by_model(fit(aggregate((renamed[a], renamed[b], choice) for a, b, choice in votes), {}))
    assert {renamed[name] for name in plain} == other.keys()
    for name, standing in plain.items():
        assert other[renamed[name]].elo == pytest.approx(standing.elo, abs=1e-6)
        assert other[renamed[name]].reference.low == pytest.approx(standing.reference.low, abs=1e-6)


@settings(deadline=None)
@given(ballots)
def test_the_side_on_which_an_answer_stood_does_not_matter(votes: list) -> None:
    other_side = {Choice.A: Choice.B, Choice.B: Choice.A, Choice.TIE: Choice.TIE}
    turned = [(b, a, other_side[choice]) for a, b, choice in votes]
    assert fit(aggregate(turned), {}) == fit(aggregate(votes), {})


@settings(deadline=None)
@given(ballots)
def test_swapping_every_win_and_loss_mirrors_the_ranking(votes: list) -> None:
    plain = by_model(fit(aggregate(votes), {}))
    mirrored = by_model(fit(aggregate((b, a, choice) for a, b, choice in votes), {}))
    assert plain.keys() == mirrored.keys()
    for name, standing in plain.items():
        assert mirrored[name].elo - 1000 == pytest.approx(1000 - standing.elo, abs=1e-6)
        assert mirrored[name].reference.high == pytest.approx(1 - standing.reference.low, abs=1e-9)
