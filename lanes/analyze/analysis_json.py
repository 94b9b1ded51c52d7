"""An analysis of votes as JSON for scripts: win rates in per cent to one decimal, null where an end is open."""

from __future__ import annotations

import math
from dataclasses import asdict

from checkpoints.records import Interval, Json
from lanes.analyze.analysis import Analysis
from lanes.analyze.findings import Correlation, Pair, Trust


def as_json(found: Analysis) -> Json:
    """The keys of ``votes analyze --json``, which has one metric at most."""
    strengths = {one.model: one.strength for one in found.strengths}
    elo = {one.model: one.elo for one in found.strengths}
    trust = next(iter(found.trusts), None)
    rates = {one.model: one.reference for one in found.strengths if one.reference}
    nothing = dict.fromkeys(found.unknown)
    return {
        "votes": found.votes,
        "voters": found.voters or None,
        "simulated_voters": found.simulated,
        "prompts": found.prompts or None,
        "pairs": [_pair(pair) for pair in found.pairs],
        "ties": found.ties,
        "bradley_terry": {model: one.estimate for model, one in strengths.items()} | nothing,
        "bradley_terry95": {model: _ends(one) for model, one in strengths.items()} | nothing,
        "elo": {model: one.estimate for model, one in elo.items()} | nothing,
        "elo95": {model: _ends(one) for model, one in elo.items()} | nothing,
        "elo_1000": found.reference or "mean",
        "elo_without_position": {one.model: one.corrected for one in found.strengths} | nothing,
        "elo_online_k4": found.online_elo,
        "reference_win_rate": {model: _percent(rate.estimate) for model, rate in rates.items()},
        "reference_win_rate95": {model: _percents(rate) for model, rate in rates.items()},
        "unknown": list(found.unknown),
        "bootstrap": {"voters": found.resampled, "resamples": found.resamples},
        "position": {
            "first_wins": _percent(found.position.first.estimate) if found.position.first else None,
            "first_wins95": _percents(found.position.first) if found.position.first else None,
            "matters": found.position.matters,
            "largest_shift_elo": found.position.shift,
            "sentence": found.position.sentence,
        },
        "agreement": {
            "fleiss_kappa": found.agreement.fleiss.estimate if found.agreement.fleiss else None,
            "fleiss_kappa95": _ends(found.agreement.fleiss) if found.agreement.fleiss else None,
            "questions": found.agreement.items,
            "cohen_kappa": found.agreement.cohen,
            "pairs_of_voters": found.agreement.pairs,
            "sentence": found.agreement.sentence,
        },
        "spearman": _correlation("rho", trust.spearman) if trust else None,
        "kendall": _correlation("tau", trust.kendall) if trust else None,
        "trust": _trust(trust) if trust else None,
    }


def _pair(pair: Pair) -> Json:
    rate = pair.win_rate_a
    return {
        "model_a": pair.model_a,
        "model_b": pair.model_b,
        "wins_a": pair.wins_a,
        "ties": pair.ties,
        "wins_b": pair.wins_b,
        "win_rate_a": _percent(rate.estimate) if rate else None,
        "wilson95": _percents(rate) if rate else None,
    }


def _correlation(name: str, found: Correlation | None) -> Json | None:
    if found is None:
        return None
    return {
        name: found.interval.estimate,
        f"{name}95": _ends(found.interval),
        "p": found.p,
        "exact": found.exact,
        "permutations": found.permutations,
    }


def _trust(found: Trust) -> Json:
    return {
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "sentence": found.sentence,
        "models": len(found.points),
        "disagreements": [asdict(one) for one in found.disagreements],
        "left_out": list(found.left_out),
    }


def _ends(found: Interval) -> list[float | None]:
    return [end if math.isfinite(end) else None for end in (found.low, found.high)]


def _percents(found: Interval) -> list[float]:
    return [_percent(found.low), _percent(found.high)]


def _percent(share: float) -> float:
    return round(100 * share, 1)
