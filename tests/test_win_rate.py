"""Win rates and their intervals, against scipy and against what an interval has to obey."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from checkpoints.records import Interval
from lanes.analyze.win_rate import anytime, half_width, shrunken, wilson

counts = st.integers(0, 1_000_000) | st.integers(0, 30)
votes = st.tuples(counts, counts).filter(any)


def evidence_against(p: float, wins: int, losses: int) -> float:
    """Log of the e-value of the even bet against a win rate of p, as the formula says it."""
    log_beta = math.lgamma(wins + 1) + math.lgamma(losses + 1) - math.lgamma(wins + losses + 2)
    return log_beta - wins * math.log(p) - losses * math.log1p(-p)


@given(votes)
def test_wilson_is_scipys(tally: tuple[int, int]) -> None:
    wins, losses = tally
    ours = wilson(wins, losses)
    theirs = binomtest(wins, wins + losses).proportion_ci(0.95, method="wilson")
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert ours.estimate == wins / (wins + losses)


def test_a_higher_confidence_gives_the_wider_wilson_interval_that_scipy_gives() -> None:
    ours = wilson(62, 31, confidence=0.99)
    theirs = binomtest(62, 93).proportion_ci(0.99, method="wilson")
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("interval", [wilson, anytime])
def test_without_decisive_votes_there_is_no_interval(interval) -> None:
    assert interval(0, 0) is None


@pytest.mark.parametrize("interval", [wilson, anytime])
@given(tally=votes)
def test_intervals_hold_their_estimate_and_stay_within_zero_and_one(interval, tally: tuple[int, int]) -> None:
    found = interval(*tally)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize("interval", [wilson, anytime])
@given(tally=votes)
def test_swapping_wins_and_losses_mirrors_the_interval(interval, tally: tuple[int, int]) -> None:
    found, mirrored = interval(*tally), interval(*reversed(tally))
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-12)


@given(votes)
def test_the_anytime_interval_ends_where_the_evidence_reaches_its_bound(tally: tuple[int, int]) -> None:
    wins, losses = tally
    found = anytime(wins, losses)
    assert found is not None
    bound = math.log(20)
    if 1e-9 < found.low:
        assert evidence_against(found.low, wins, losses) == pytest.approx(bound, abs=1e-4)
    if found.high < 1 - 1e-9:
        assert evidence_against(found.high, wins, losses) == pytest.approx(bound, abs=1e-4)


@given(votes)
def test_the_anytime_interval_is_wider_than_wilsons_for_looking_all_the_time_has_a_price(
    tally: tuple[int, int],
) -> None:
    ever, once = anytime(*tally), wilson(*tally)
    assert ever is not None
    assert once is not None
    assert half_width(ever) > half_width(once)


@given(votes, st.floats(0.001, 0.5))
def test_a_smaller_alpha_widens_the_anytime_interval(tally: tuple[int, int], alpha: float) -> None:
    wide, narrow = anytime(*tally, alpha=alpha / 2), anytime(*tally, alpha=alpha)
    assert wide is not None
    assert narrow is not None
    assert wide.low <= narrow.low
    assert wide.high >= narrow.high


def test_an_unbeaten_candidate_has_an_anytime_interval_up_to_one() -> None:
    found = anytime(20, 0)
    assert found is not None
    # B(21, 1) = 1/21, so the lower end solves p^20 = 1 / (21 · 20).
    assert found == Interval(1.0, pytest.approx(420 ** (-1 / 20)), 1.0)


def test_the_shrunken_rate_adds_fifty_imaginary_votes_each_way() -> None:
    assert shrunken(62, 31) == pytest.approx((62 + 50) / (93 + 100))
    assert shrunken(0, 0) == 0.5


@given(votes)
def test_the_shrunken_rate_lies_between_even_and_the_raw_rate(tally: tuple[int, int]) -> None:
    wins, losses = tally
    raw, pulled = wins / (wins + losses), shrunken(wins, losses)
    assert min(0.5, raw) <= pulled <= max(0.5, raw)


def test_the_half_width_is_the_number_behind_the_plus_minus() -> None:
    assert half_width(Interval(0.55, 0.501, 0.599)) == pytest.approx(0.049)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(-1, 3), "-1 wins to 3 losses"),
        (lambda: anytime(1, -3), "1 wins to -3 losses"),
        (lambda: wilson(1, 3, confidence=95), "confidence is 95"),
        (lambda: anytime(1, 3, alpha=0), "alpha is 0"),
        (lambda: shrunken(1, 3, imaginary=0), "imaginary is 0"),
    ],
)
def test_impossible_arguments_are_refused_with_their_value(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_win_rates_and_verdicts_load_nothing_heavy() -> None:
    code = "import sys, lanes.analyze.verdict; print(sorted({'numpy', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
