"""An analysis of votes as lines for a person, at most 80 columns wide."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

from checkpoints.records import Interval
from lanes.analyze.analysis import Analysis
from lanes.analyze.findings import Correlation, Pair, Strength, Trust
from lanes.analyze.trust import certainty
from lanes.analyze.verdict import per_cent

WIDTH = 80

SHOWN = 30
"""Pairs, and disagreements, that are printed; the others are in the JSON."""


def lines_of(found: Analysis) -> Iterator[str]:
    """The whole, in the order in which it is read: what, who is best, who met whom, how far to believe it."""
    yield from _wrapped(_what(found))
    yield ""
    yield from _ranking(found)
    yield ""
    yield from _pairs(found.pairs)
    for sentence in (found.position.sentence, found.agreement.sentence):
        yield ""
        yield from _wrapped(sentence)
    for trust in found.trusts:
        yield ""
        yield from _trust(trust)


def _what(found: Analysis) -> str:
    said = f"{_count(found.votes, 'vote')} on {_count(found.models, 'model')}"
    if found.voters:
        of_them = "simulated " if found.simulated == found.voters else ""
        said += f" by {_count(found.voters, f'{of_them}voter')}"
        if 0 < found.simulated < found.voters:
            said += f", {found.simulated:,} of them simulated"
    if found.prompts:
        said += f" over {_count(found.prompts, 'prompt')}"
    said += f"; {100 * found.tied / found.votes:.1f} % about equal."
    if not found.voters:
        said += " Nothing says who voted: each vote counts as a voter of its own."
    return said


def _ranking(found: Analysis) -> Iterator[str]:
    last = f"{'vs reference':>21}" if found.reference else f"{'strength':>10}{'corrected':>10}"
    yield f"{'model':26}{'votes':>10}{'Elo':>7}{'95 % interval':>16}{last}"
    for one in found.strengths:
        yield f"{_fit(one.model, 26)}{one.votes:>10,}{one.elo.estimate:>7.0f}{_ends(one.elo):>16}{_last(one)}"
    for model in found.unknown:
        yield f"{_fit(model, 26)}{'':>10}  unknown: no chain of wins links it to the others"
    thousand = f"{found.reference} has 1000" if found.reference else _measured(found)
    how = "a tie is half a win" if found.ties == "half" else "ties by Davidson's model"
    whose = "voter" if found.voters else "vote"
    place = "" if found.reference else " Corrected: Elo without the advantage of being shown first."
    yield from _wrapped(
        f"Bradley–Terry, {how}; {thousand}. Intervals from {found.resamples:,} resamples of "
        f"{_count(found.resampled, whose)}.{place}"
    )


def _measured(found: Analysis) -> str:
    mean = sum(one.elo.estimate for one in found.strengths) / len(found.strengths)
    whose = "" if round(mean) == 1000 else " of those with both ends"
    return f"the mean{whose} is Elo 1000, strength 1"


def _last(one: Strength) -> str:
    if one.reference:
        return f"{per_cent(one.reference):>21}"
    strength = one.strength.estimate
    shown = f"{strength:.2f}" if 0.1 <= strength < 1e6 else f"{strength:.2g}"
    return f"{shown:>10}{'–' if one.corrected is None else format(one.corrected, '.0f'):>10}"


def _pairs(pairs: Iterable[Pair]) -> Iterator[str]:
    by_votes = sorted(pairs, key=lambda one: -(one.wins_a + one.ties + one.wins_b))
    rows = [("A wins", "ties", "B wins", "A, ties aside")]
    for one in by_votes[:SHOWN]:
        rate = per_cent(one.win_rate_a) if one.win_rate_a else "–"
        rows.append((f"{one.wins_a:,}", f"{one.ties:,}", f"{one.wins_b:,}", rate))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    name = (WIDTH - sum(widths) - 5) // 2
    names = [("A", "B"), *((one.model_a, one.model_b) for one in by_votes)]
    for (a, b), row in zip(names, rows, strict=False):
        numbers = " ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        yield f"{_fit(a, name)} {_fit(b, name)} {numbers}"
    if (more := len(by_votes) - SHOWN) > 0:
        yield f"and {_count(more, 'pair')} more: --json has all"


def _trust(found: Trust) -> Iterator[str]:
    yield from _wrapped(found.sentence)
    for name, one in (("Spearman's rho", found.spearman), ("Kendall's tau", found.kendall)):
        if one:
            yield f"{name} {_correlation(one)}"
    if found.spearman:
        yield "The intervals are over other voters, p is over orders of the models by chance."
    for one in found.disagreements[:SHOWN]:
        yield from _wrapped(
            f"{found.metric} says {one.by_metric}, people say {one.by_people} ({certainty(one.sure)} sure)"
        )
    if (more := len(found.disagreements) - SHOWN) > 0:
        yield f"and {_count(more, 'pair')} more: --json has all"
    if found.left_out:
        yield from _wrapped(f"With only a value or only votes: {', '.join(found.left_out)}.")


def _correlation(found: Correlation) -> str:
    rate = found.interval
    how = "exact" if found.exact else f"{found.permutations:,} random orders"
    return f"{rate.estimate:+.2f} [{rate.low:+.2f}, {rate.high:+.2f}], p = {found.p:.2g} ({how})"


def _ends(found: Interval) -> str:
    return f"[{_end(found.low)}, {_end(found.high)}]"


def _end(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")


def _fit(name: str, width: int) -> str:
    return set_cell_size(name if cell_len(name) <= width else f"{set_cell_size(name, width - 1)}…", width)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDTH, break_on_hyphens=False)
