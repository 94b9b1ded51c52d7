"""The verdict on votes: its formula, its sentence, and its exact error rates under looking after every vote."""

import math
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from checkpoints.records import Interval, Outcome, Tally, VoterMeans
from lanes.analyze.verdict import Rule, conclude, decide, futility_evidence, keep_evidence, progress, reason, to_go
from lanes.analyze.win_rate import anytime, shrunken, wilson

DEFAULT = Rule()
counts = st.integers(0, 1200) | st.integers(0, 60)
lifts = st.floats(0.005, 0.16)
tallies = st.builds(Tally, counts, counts, counts)
each = VoterMeans.each


def once(tally: Tally) -> VoterMeans:
    """Votes that came from as many voters."""
    return each(tally.wins, tally.losses)


def play(rule: Rule, p: float) -> tuple[dict[Outcome, float], float]:
    """Exact probability of each outcome at a true win rate of p, deciding after every vote; and the mean votes."""
    alive, chances, votes = {0: 1.0}, dict.fromkeys(Outcome, 0.0), 0.0
    for n in range(1, rule.max_votes + 1):
        grown = np.zeros(n + 1)
        for wins, chance in alive.items():
            grown[wins + 1] += chance * p
            grown[wins] += chance * (1 - p)
        alive = {}
        for wins in np.flatnonzero(grown):
            outcome = decide(rule, once(Tally(int(wins), int(n - wins), 0)))
            if outcome is None:
                alive[int(wins)] = grown[wins]
            else:
                chances[outcome] += grown[wins]
                votes += n * grown[wins]
    assert sum(chances.values()) == pytest.approx(1)
    return chances, votes


@pytest.mark.parametrize(
    ("p", "least_keeps", "most_keeps", "most_votes"),
    [(0.45, 0, 0.002, 120), (0.50, 0, 0.05, 300), (0.55, 0.70, 1, 440), (0.60, 0.98, 1, 175), (0.66, 0.99, 1, 80)],
)
def test_the_default_rule_reaches_its_targets_when_looked_at_after_every_vote(
    p: float, least_keeps: float, most_keeps: float, most_votes: float
) -> None:
    chances, votes = play(DEFAULT, p)
    assert least_keeps <= chances[Outcome.KEEP] <= most_keeps
    assert votes <= most_votes


def test_a_candidate_with_just_the_lift_is_discarded_no_more_often_than_beta() -> None:
    chances, _ = play(DEFAULT, 0.5 + DEFAULT.lift)
    assert 0 < chances[Outcome.DISCARD] <= DEFAULT.beta


def test_a_stricter_alpha_keeps_fewer_worthless_candidates_than_it_allows() -> None:
    chances, _ = play(Rule(alpha=0.01, max_votes=400), 0.5)
    assert 0 < chances[Outcome.KEEP] <= 0.01


@given(counts, counts)
def test_keep_evidence_is_the_formula(wins: int, losses: int) -> None:
    terms = [(Fraction(1, 2), Fraction(1, 10)), (Fraction(1, 4), Fraction(1, 5)), (Fraction(1, 4), Fraction(3, 10))]
    exact = sum(weight * (1 + lead) ** wins * (1 - lead) ** losses for weight, lead in terms)
    log = math.log(exact.numerator) - math.log(exact.denominator)
    assert keep_evidence(each(wins, losses), 0.05) == pytest.approx(log, abs=1e-8)


@given(counts, counts, lifts)
def test_one_more_fair_vote_leaves_the_e_value_where_it_was_on_average(wins: int, losses: int, lift: float) -> None:
    now = keep_evidence(each(wins, losses), lift)
    won, lost = keep_evidence(each(wins + 1, losses), lift), keep_evidence(each(wins, losses + 1), lift)
    assert (math.exp(won - now) + math.exp(lost - now)) / 2 <= 1 + 1e-9


@given(counts, counts, lifts)
def test_one_more_vote_at_the_lift_leaves_the_futility_value_where_it_was_on_average(
    wins: int, losses: int, lift: float
) -> None:
    now, p = futility_evidence(each(wins, losses), lift), 0.5 + lift
    won, lost = futility_evidence(each(wins + 1, losses), lift), futility_evidence(each(wins, losses + 1), lift)
    assert p * math.exp(won - now) + (1 - p) * math.exp(lost - now) <= 1 + 1e-9


@given(counts, counts, lifts)
def test_a_win_speaks_for_the_candidate_and_a_loss_against_it(wins: int, losses: int, lift: float) -> None:
    assert futility_evidence(each(wins + 1, losses), lift) < futility_evidence(each(wins, losses), lift)
    assert futility_evidence(each(wins, losses + 1), lift) > futility_evidence(each(wins, losses), lift)
    assert keep_evidence(each(wins + 1, losses), lift) > keep_evidence(each(wins, losses), lift)
    assert keep_evidence(each(wins, losses + 1), lift) < keep_evidence(each(wins, losses), lift)


def test_a_million_votes_do_not_overflow() -> None:
    assert keep_evidence(each(1_000_000, 0), 0.05) == pytest.approx(math.log(0.25) + 1e6 * math.log(1.3))
    assert keep_evidence(each(0, 1_000_000), 0.05) == pytest.approx(math.log(0.5) + 1e6 * math.log(0.9))
    assert futility_evidence(each(0, 1_000_000), 0.05) == pytest.approx(-1e6 * math.log(0.9))
    assert decide(DEFAULT, once(Tally(1_000_000, 900_000, 0))) is Outcome.KEEP


@given(tallies)
def test_the_decision_is_what_the_two_e_values_say(tally: Tally) -> None:
    w, losses = tally.wins, tally.losses
    assume(w + losses < 1000)  # beyond the cap a float of the plain formula overflows
    keep = 0.5 * 1.1**w * 0.9**losses + 0.25 * 1.2**w * 0.8**losses + 0.25 * 1.3**w * 0.7**losses
    futile = 1.1**-w * 0.9**-losses
    expected = None
    if w + losses >= 20:
        expected = Outcome.KEEP if keep >= 20 else Outcome.DISCARD if futile >= 5 else None
    assert decide(DEFAULT, once(tally)) == expected


def test_a_voters_many_votes_are_one_voter() -> None:
    crowd, panel = each(60, 40), VoterMeans(((0.2, 20),))
    assert decide(DEFAULT, VoterMeans(((1.0, 19),))) is None, "19 voters, however often each has voted"
    assert keep_evidence(panel, 0.05) < keep_evidence(crowd, 0.05)
    assert (panel.voters, panel.wins, panel.losses) == (20, pytest.approx(12), pytest.approx(8))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), lifts)
def test_voters_whose_means_are_even_on_average_give_no_evidence_on_average(means: list[float], lift: float) -> None:
    balanced = [mean for each_mean in means for mean in (each_mean, -each_mean)]
    kept = [math.exp(keep_evidence(VoterMeans(((mean, 1),)), lift)) for mean in balanced]
    assert sum(kept) / len(kept) == pytest.approx(1)


@given(tallies)
def test_voters_to_go_lead_to_a_decision_when_they_vote_as_those_before(tally: Tally) -> None:
    means = once(tally)
    assume(0 < means.voters < DEFAULT.max_votes)
    more = to_go(DEFAULT, means)
    assert more is not None and (more == 0) == (decide(DEFAULT, means) is not None)
    assert means.voters + more <= DEFAULT.max_votes or more == 0


def test_how_many_voters_are_to_go_follows_the_rate_so_far() -> None:
    assert to_go(DEFAULT, VoterMeans()) is None
    assert to_go(DEFAULT, each(520, 479)) == 1
    few, many = to_go(DEFAULT, each(14, 6)), to_go(DEFAULT, each(12, 8))
    assert few is not None and many is not None and 0 < few < many < 980


def test_nothing_is_decided_before_the_least_number_of_votes() -> None:
    assert decide(DEFAULT, once(Tally(19, 0, 500))) is None
    assert decide(DEFAULT, once(Tally(20, 0, 500))) is Outcome.KEEP
    assert decide(DEFAULT, once(Tally(0, 19, 500))) is None
    assert decide(DEFAULT, once(Tally(0, 20, 500))) is Outcome.DISCARD


def test_the_question_is_left_open_at_the_cap_and_not_before() -> None:
    assert decide(DEFAULT, once(Tally(520, 479, 0))) is None
    assert decide(DEFAULT, once(Tally(520, 480, 0))) is Outcome.INCONCLUSIVE
    assert decide(Rule(max_votes=3000), once(Tally(520, 480, 0))) is None


@given(tallies)
def test_progress_is_full_exactly_when_there_is_a_decision(tally: Tally) -> None:
    done = progress(DEFAULT, once(tally))
    assert 0 <= done <= 1
    assert (done == 1) == (decide(DEFAULT, once(tally)) is not None)


def test_progress_follows_whichever_end_is_nearest() -> None:
    assert progress(DEFAULT, once(Tally(0, 0, 40))) == 0
    assert progress(DEFAULT, once(Tally(10, 0, 0))) == 0.5
    assert progress(DEFAULT, once(Tally(499, 451, 0))) == pytest.approx(0.95)
    assert progress(DEFAULT, once(Tally(46, 30, 0))) == pytest.approx(keep_evidence(each(46, 30), 0.05) / math.log(20))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("alpha", 0, "alpha is 0: it must lie between 0 and 1"),
        ("alpha", 5, "alpha is 5"),
        ("beta", 1, "beta is 1: it must lie between 0 and 1"),
        ("lift", 0.2, "lift is 0.2: it must lie between 0 and 1/6"),
        ("lift", 0, "lift is 0: it must lie"),
        ("lift", math.nan, "lift is nan"),
        ("min_votes", 0, "min_votes is 0: it must be at least 1"),
        ("max_votes", 10, "max_votes is 10: it must be at least min_votes, 20"),
    ],
)
def test_a_rule_out_of_range_is_refused_with_field_value_and_range(field: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(DEFAULT, **{field: value})


@pytest.mark.parametrize(
    ("tally", "sentence"),
    [
        (
            Tally(62, 31, 18),
            "62 wins to 31 losses (18 about equal) against exp-0003: 66.7 % [56.6, 75.4], "
            "58.0 % allowing for luck, e-value 72.8 ≥ 20, so exp-0007 is kept.",
        ),
        (
            Tally(1, 40, 0),
            "1 win to 40 losses against exp-0003: 2.4 % [0.4, 12.6], "
            "e-value 61.5 ≥ 5 that it is not better by 5 points, so exp-0007 is discarded.",
        ),
        (
            Tally(520, 480, 1234),
            "520 wins to 480 losses (1,234 about equal) against exp-0003: 52.0 % [48.9, 55.1], e-value 0.1 of the 20 "
            "needed at the cap of 1,000 voters, so exp-0007 is inconclusive and exp-0003 stays.",
        ),
        (
            Tally(14, 10, 0),
            "14 wins to 10 losses against exp-0003: 58.3 % [38.8, 75.5], e-value 1.2 of the 20 needed "
            "at the end of the votes, so exp-0007 is inconclusive and exp-0003 stays.",
        ),
        (
            Tally(0, 0, 9),
            "0 wins to 0 losses (9 about equal) against exp-0003: nobody preferred either, "
            "so exp-0007 is inconclusive and exp-0003 stays.",
        ),
    ],
    ids=["keep", "discard", "cap", "votes ran out", "only ties"],
)
def test_the_verdicts_sentence_gives_the_evidence_then_the_conclusion(tally: Tally, sentence: str) -> None:
    verdict = conclude(DEFAULT, 7, "exp-0007", "exp-0003", tally, once(tally), None, 0.0, parent=3, opponent_number=3)
    assert verdict.reason == sentence


@given(tallies)
def test_a_sentence_never_writes_evidence_below_the_bound_that_it_claims_to_reach(tally: Tally) -> None:
    outcome = decide(DEFAULT, once(tally))
    assume(outcome in (Outcome.KEEP, Outcome.DISCARD))
    text = reason(DEFAULT, tally, once(tally), outcome, "exp-0007", "exp-0003")
    written, bound = re.search(r"e-value (\S+) ≥ (\d+)", text).groups()
    log = math.log(10) * int(written[3:]) if written.startswith("10^") else math.log(float(written.replace(",", "")))
    assert log >= math.log(int(bound))


def test_a_sentence_says_so_where_parent_and_opponent_differ() -> None:
    verdict = conclude(
        DEFAULT,
        7,
        "exp-0007",
        "exp-0005",
        Tally(62, 31, 0),
        once(Tally(62, 31, 0)),
        None,
        0.0,
        parent=3,
        opponent_number=5,
    )
    assert verdict.reason.endswith(
        "so exp-0007 is kept; its change was made to the recipe of exp-0003, "
        "while exp-0005 was champion when it was judged."
    )


def test_a_verdict_carries_everything_that_is_shown_beside_it() -> None:
    reference = Interval(0.6, 0.55, 0.65)
    verdict = conclude(
        DEFAULT, 7, "exp-0007", "exp-0003", Tally(62, 31, 18), once(Tally(62, 31, 18)), reference, 12.5, 3, 3
    )
    assert (verdict.experiment, verdict.outcome, verdict.decided_at) == (7, Outcome.KEEP, 12.5)
    assert (verdict.wins, verdict.losses, verdict.ties) == (62, 31, 18)
    assert verdict.win_rate == wilson(62, 31)
    assert verdict.anytime == anytime(62, 31)
    assert verdict.shrunken == shrunken(62, 31)
    assert verdict.reference == reference


def test_a_verdict_without_a_decisive_vote_claims_no_rate() -> None:
    verdict = conclude(DEFAULT, 7, "exp-0007", "exp-0003", Tally(0, 0, 9), once(Tally(0, 0, 9)), None, 0.0, None, None)
    assert (verdict.outcome, verdict.win_rate, verdict.anytime, verdict.shrunken) == (
        Outcome.INCONCLUSIVE, None, None, None,
    )  # fmt: skip


def test_no_sentence_about_votes_explains_a_crash() -> None:
    with pytest.raises(ValueError, match="exp-0007 crashed"):
        reason(DEFAULT, Tally(3, 4, 0), once(Tally(3, 4, 0)), Outcome.CRASH, "exp-0007", "exp-0003")
