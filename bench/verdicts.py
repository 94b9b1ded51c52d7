"""How often verdicts are wrong, and how many votes they ask for: exactly where that is possible, otherwise simulated.

Run ``python -m bench.verdicts`` from the root of the repository; it takes well under a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bench.parts.figures import heading, said, seconds, share, table
from bench.parts.nights import worthless_nights
from bench.parts.sessions import Crowd, by_vote, by_voter, found_correlation
from bench.parts.stopping import Bounds, Ends, Floats, bounds, by_rule, by_wilson, drawn, exact, least_votes
from checkpoints.records import Interval, VoterMeans
from lanes.analyze.verdict import Rule, decide
from lanes.analyze.win_rate import anytime, shrunken, wilson
from runner.promotion import LOOKS, VOTERS

RULE = Rule()
CAP = RULE.max_votes
WIN_RATES = (0.45, 0.50, 0.52, 0.55, 0.60, 0.66)
BETTER = (0.52, 0.55, 0.60, 0.66)

SIMULATED = 20_000
"""Experiments of a figure."""

NIGHTS, EXPERIMENTS = 2_000, 50
"""Nights are told per 200."""

CORRELATIONS = (0.3, 0.5)
"""Of two votes by one voter, who has five."""

PRIOR_SPREAD = 0.06
"""Standard deviation of candidates' true win rates about even, normally distributed."""


def main() -> None:
    """Print the figures."""
    begun = time.perf_counter()
    ours = bounds(by_rule(RULE), CAP)
    peeking = bounds(by_wilson(range(10, CAP + 1, 10)), CAP)
    ends = {
        "this program's rule": exact(ours, WIN_RATES),
        "Wilson 95 %, looked at every 10 votes": exact(peeking, WIN_RATES),
        "Wilson 95 % one-sided, at 617 votes": exact(bounds(by_wilson([617], confidence=0.90), 617), WIN_RATES),
        "Wilson 95 %, at 150 votes": exact(bounds(by_wilson([150]), 150), WIN_RATES),
    }
    table("keeps, %, exact", WIN_RATES, {name: 100 * end.keeps for name, end in ends.items()}, "{:9.2f}")
    table("votes, mean, exact", WIN_RATES, {name: end.votes for name, end in ends.items()}, "{:9.0f}")
    rule, wilsons, fixed, _ = ends.values()
    the_least(rule)
    errors(rule, wilsons, ours, peeking)
    votes_needed(rule, wilsons, fixed)
    whole_nights(rule, ours)
    several_votes_each(ours)
    shown_at_the_end(rule, exact(ours, np.linspace(0.2, 0.8, 121).tolist()))
    speeds()
    print(f"\nall of it in {time.perf_counter() - begun:.0f} s")


def the_least(rule: Ends) -> None:
    """What no test could do with less."""
    rows = {"of any test as often wrong as this rule": [least(rule, rate) for rate in BETTER]}
    for power in (0.8, 0.9, 0.99):
        name = f"of any with 5 % false and {power:.0%} right keeps"
        rows[name] = [least_votes(rate, power, 0.5, 0.05) for rate in BETTER]
    table("votes, mean, information-theoretic least", BETTER, rows, "{:9.0f}")


def least(rule: Ends, rate: float) -> float:
    """The least mean votes of a test that keeps as often as this one where nothing works and where something does.

    An even candidate has to be told from one with the lift, any other from an even one.
    """
    other = 0.5 if rate != 0.5 else 0.5 + RULE.lift
    return least_votes(rate, rule.keeps_at(rate), other, rule.keeps_at(other))


def errors(rule: Ends, wilsons: Ends, ours: Bounds, peeking: Bounds) -> None:
    """How often it is wrong, looked at after every vote."""
    heading(f"looked at after every vote, at most {CAP:,}", "Wilson 95 % every 10 votes")
    beside = f"{wilsons.keeps_at(0.5):.2%}"
    said("false keeps at 0.50, exact", rule.keeps_at(0.5), "{:.2%}", at_most=0.05, beside=beside)
    kept, error = share(drawn(ours, 0.5, SIMULATED, np.random.default_rng(1)).kept)
    beside = f"{share(drawn(peeking, 0.5, SIMULATED, np.random.default_rng(1)).kept)[0]:.2%}"
    what = f"false keeps at 0.50, {SIMULATED:,} simulated experiments"
    said(what, kept, "{:.2%}", error=error, at_most=0.05, beside=beside)
    for rate, bound in ((0.55, 0.70), (0.60, 0.98)):
        beside = f"{wilsons.keeps_at(rate):.1%}"
        said(f"keeps at {rate:.2f}, exact", rule.keeps_at(rate), "{:.1%}", at_least=bound, beside=beside)


def votes_needed(rule: Ends, wilsons: Ends, fixed: Ends) -> None:
    """How many votes it asks for."""
    heading("votes, mean, exact", "Wilson every 10; fixed; least of any test as often wrong")
    for rate, bound in ((0.50, 300), (0.55, None), (0.60, 175), (0.66, 80)):
        votes, fewest = rule.votes_at(rate), least(rule, rate)
        beside = f"{wilsons.votes_at(rate):.0f}; {fixed.votes_at(rate):.0f}; {fewest:.0f}, {fewest / votes:.0%}"
        said(f"at {rate:.2f}", votes, "{:.0f}", at_most=bound, beside=beside)


def whole_nights(rule: Ends, ours: Bounds) -> None:
    """Nights in which nothing works; the test on fresh votes is by the same rule, as the loop has it."""
    false = rule.keeps_at(0.5)
    found = worthless_nights(ours, ours, NIGHTS, EXPERIMENTS, LOOKS, VOTERS, np.random.default_rng(2))
    some = 1 - (1 - false) ** EXPERIMENTS
    heading(f"nights of {EXPERIMENTS} worthless experiments, {NIGHTS:,} of them", "in 200 nights; exact")
    kept, error = share(found.kept)
    said("with a false keep", kept, "{:.1%}", error=error, beside=f"{200 * kept:.1f}; {some:.1%}")
    promoted, error = share(found.promoted)
    beside = f"{200 * promoted:.1f}; {some * false:.1%}"
    said("with a false promotion", promoted, "{:.1%}", error=error, at_most=0.05, beside=beside)
    later = bounds(by_rule(replace(RULE, min_votes=30)), CAP)
    strict = some * exact(later, [0.5]).keeps_at(0.5)
    said("the same with at least 30 voters in the test, exact", strict, "{:.1%}", beside=f"{200 * strict:.1f}")
    ticked, error = share(found.ticked)
    what = f"by the checklist alone: ahead at {LOOKS} looks, ≥ {VOTERS} voters"
    said(what, ticked, "{:.1%}", error=error, beside=f"{200 * ticked:.1f}")


def several_votes_each(ours: Bounds) -> None:
    """Voters who agree with themselves, counted as one each, and each of their votes for another voter's."""
    for correlation in CORRELATIONS:
        even, better = Crowd(0.5, correlation), Crowd(0.6, correlation)
        chance = np.random.default_rng(3)
        measured = found_correlation(even, 200_000, chance)
        title = f"{even.votes} votes a voter, correlation {correlation} (drawn: {measured:.3f})"
        heading(title, "each vote counted")
        kept, error = share(by_voter(RULE, even, SIMULATED, chance).kept)
        beside = f"{share(by_vote(ours, even, SIMULATED, chance).kept)[0]:.1%}"
        said("false keeps at 0.50, one mean a voter", kept, "{:.1%}", error=error, at_most=0.05, beside=beside)
        found = by_voter(RULE, better, SIMULATED // 4, chance)
        said("keeps at 0.60, one mean a voter", float(found.kept.mean()), "{:.1%}")
        error = float(found.votes.std() / np.sqrt(len(found.votes)))
        said("voters at 0.60, mean", float(found.votes.mean()), "{:.1f}", error=error)


def shown_at_the_end(rule: Ends, fine: Ends) -> None:
    """What is shown when the program's rule has stopped: how true is it by then?"""
    rows = {
        "raw win rate of keeps": 100 * of_keeps(rule, rule.wins / (rule.wins + rule.losses)),
        "shrunken win rate of keeps": 100 * of_keeps(rule, pulled(rule)),
        "Wilson 95 % holds the truth": 100 * held(rule, wilson).sum(axis=0),
        "anytime 95 % holds the truth": 100 * held(rule, anytime).sum(axis=0),
    }
    table("shown when it stops, %, exact", rule.rates, rows, "{:9.1f}")
    shown_where_rates_differ(fine)


def shown_where_rates_differ(fine: Ends) -> None:
    """What is shown at keeps when candidates' true win rates are spread about even."""
    prior = np.exp(-0.5 * ((fine.rates - 0.5) / PRIOR_SPREAD) ** 2)
    prior /= prior.sum()
    kept = fine.chances[fine.kept] * prior
    truth = float((kept @ fine.rates).sum() / kept.sum())
    heading(f"true win rates 0.50 ± {PRIOR_SPREAD} (normal), exact: keeps", "bias")
    said("share of experiments", float(kept.sum()), "{:.1%}")
    said("true win rate", truth, "{:.3f}")
    for name, rate in (("raw win rate", fine.wins / (fine.wins + fine.losses)), ("shrunken win rate", pulled(fine))):
        shown = float(rate[fine.kept] @ kept.sum(axis=1) / kept.sum())
        said(name, shown, "{:.3f}", beside=f"{shown - truth:+.3f}")
    for name, interval in (("Wilson", wilson), ("anytime", anytime)):
        holds = float((held(fine, interval)[fine.kept] @ prior).sum() / kept.sum())
        said(f"{name} 95 % interval holds the truth", holds, "{:.1%}")


def of_keeps(ends: Ends, shown: Floats) -> Floats:
    """Mean of what is shown at keeps, at each win rate."""
    return shown[ends.kept] @ ends.chances[ends.kept] / ends.keeps


def pulled(ends: Ends) -> Floats:
    """The shrunken win rate at each end."""
    return np.array([shrunken(wins, losses) for wins, losses in counts(ends)])


def held(ends: Ends, interval: Callable[[int, int], Interval | None]) -> Floats:
    """Probability of each end with an interval that holds the true win rate, (ends, win rates)."""
    found = [interval(wins, losses) for wins, losses in counts(ends)]
    reach = np.array([(each.low, each.high) for each in found if each is not None])
    return ends.chances * ((reach[:, :1] <= ends.rates) & (ends.rates <= reach[:, 1:]))


def counts(ends: Ends) -> list[tuple[int, int]]:
    """Wins and losses of each end."""
    return list(zip(ends.wins.tolist(), ends.losses.tolist(), strict=True))


def speeds() -> None:
    """What one look costs, with 1,000 voters."""
    heading("one look at 1,000 voters", "different means")
    decision("of one vote each", VoterMeans.each(520, 480))
    for votes in (5, 20, 60):
        decision(f"of up to {votes} votes each", many_means(1000, votes))
    said("the anytime interval, µs", 1e6 * seconds(lambda: anytime(520, 480)), "{:.1f}")


def decision(whose: str, means: VoterMeans) -> None:
    """Print what ``decide`` costs on these voters."""
    took = 1e6 * seconds(lambda: decide(RULE, means))
    said(f"the decision, voters {whose}, µs", took, "{:.1f}", at_most=50, beside=f"{len(means.counts)}")


def many_means(voters: int, votes: int) -> VoterMeans:
    """Voters spread evenly over all means that sessions of up to so many votes can end with, no more than voters."""
    means = sorted({2 * wins / cast - 1 for cast in range(1, votes + 1) for wins in range(cast + 1)})[:voters]
    each, over = divmod(voters, len(means))
    return VoterMeans(tuple((mean, each + (at < over)) for at, mean in enumerate(means)))


if __name__ == "__main__":
    main()
