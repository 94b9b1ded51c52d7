"""What a record of single runs is worth: its noise, the keeps that stand out of it, its winner, its plateaus.

A single run is true value plus noise of standard deviation σ. A keep stands when its gain over the champion before it
is more than z(.95)·σ·√2: the difference of two single runs is that large by chance once in twenty.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from runner.replay.history import Entry, Fate, History
from runner.replay.words import CATEGORIES, SEED, category_of_words
from runner.settings import ZoomOut

LEVEL = 0.95
"""One-sided: a keep whose gain is within this share of chance differences is within the noise."""

PLATEAU = ZoomOut().plateau
"""Runs without a keep after which a zoom-out would have been called."""

_NORMAL = NormalDist()
_MAD = 1.4826
"""Times the median absolute deviation is the standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The standard deviation of a single run."""

    sd: float
    groups: int
    """Recipes that were run more than once; 0 where a person or the record said the noise."""

    freedom: int
    """Degrees of freedom, replicates less groups; 0 where a person or the record said it."""

    @property
    def most(self) -> float:
        """What it may be at most, by its 95 % confidence limit: sd·√(f / χ²(.05, f))."""
        if not self.freedom:
            return self.sd
        from scipy.special import chdtri

        return self.sd * math.sqrt(self.freedom / float(chdtri(self.freedom, LEVEL)))


@dataclass(frozen=True, slots=True)
class Keep:
    """A recorded keep."""

    entry: Entry
    gain: float | None
    """Over the champion before it in the metric's unit, above 0 is better; None for the first of a segment."""

    stands: bool | None
    """None for the first, which nothing was compared with, and where the noise is not known."""

    sure: bool | None
    """Whether it stands even if the noise is as large as its estimate allows."""


@dataclass(frozen=True, slots=True)
class Plateau:
    """A stretch without a keep after which a zoom-out would have been called."""

    row: int
    """The run after which."""

    since: int
    """The run that began the stretch."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What the record's winner is probably worth."""

    entry: Entry
    value: float
    """Posterior mean of its true value, in the metric's unit."""

    standard_error: float
    overstated: float
    """By how much the recorded value is better than that, in the metric's unit."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All that a record says."""

    history: History
    noise: Noise | None
    """None where nobody said it and nothing was run twice with two numbers."""

    keeps: tuple[Keep, ...]
    winner: Worth | None
    """None where the noise is not known, or where there are no keeps."""

    plateaus: tuple[Plateau, ...]
    tried: tuple[tuple[str, int], ...]
    """Runs by category, of those whose record or words say it, most first."""

    never: tuple[str, ...]
    """Categories without a run."""

    unnamed: int
    """Runs of which neither the record nor its words say a category."""


def judge(history: History, sd: float | None = None) -> Judged:
    """Judge a record.

    Args:
        history: As it was read.
        sd: Standard deviation of a single run; None takes what the record says, or estimates it from runs of the same
            recipe.
    """
    said = history.sd if sd is None else sd
    noise = _measured(history) if said is None else Noise(said, 0, 0)
    keeps = tuple(_keeps(history, noise))
    changes = [one for one in history.entries if not SEED.search(one.description) and not _is_baseline(one)]
    named = Counter(filter(None, (one.category or category_of_words(one.description) for one in changes)))
    return Judged(
        history=history,
        noise=noise,
        keeps=keeps,
        winner=_worth(history, noise) if noise else None,
        plateaus=tuple(_plateaus(history, keeps)),
        tried=tuple(named.most_common()),
        never=tuple(name for name in CATEGORIES if not named[name]),
        unnamed=len(changes) - named.total(),
    )


def _measured(history: History) -> Noise | None:
    """Pooled over all recipes that were run more than once: √(Σ (x − mean)² / Σ (n − 1))."""
    groups = [values for values in _repeats(history) if len(values) > 1]
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum((value - statistics.fmean(values)) ** 2 for values in groups for value in values)
    if not squares:
        return None  # the same number again and again is no measurement of noise
    return Noise(math.sqrt(squares / freedom), len(groups), freedom)


def _repeats(history: History) -> list[list[float]]:
    """Values by recipe: a run that changes the seed only is of its champion's recipe, and so is the same change made
    twice to one champion of one and the same recipe."""
    found: list[list[float]] = []
    of_champion: list[float] = []
    of_change: dict[str, list[float]] = {}
    segment = -1
    for one in history.entries:
        if one.segment != segment:
            segment, of_champion, of_change = one.segment, [], {}
        if one.value is None:
            continue
        words = " ".join(one.description.lower().split())
        if of_champion and SEED.search(one.description):
            of_champion.append(one.value)
            continue
        values = of_change.setdefault(words, []) if words else []
        values.append(one.value)
        if len(values) == 1:
            found.append(values)
        if one.fate is Fate.KEEP:
            of_champion, of_change = values, {words: values} if words else {}
    return found


def _keeps(history: History, noise: Noise | None) -> Iterator[Keep]:
    champion: Entry | None = None
    for one in history.entries:
        if champion and champion.segment != one.segment:
            champion = None
        if one.fate is not Fate.KEEP:
            continue
        gain = _gain(history, champion, one)
        yield Keep(one, gain, _stands(gain, noise and noise.sd), _stands(gain, noise and noise.most))
        if one.value is not None:
            champion = one


def _gain(history: History, champion: Entry | None, one: Entry) -> float | None:
    if champion is None or champion.value is None or one.value is None:
        return None
    return (one.value - champion.value) * (1 if history.higher_is_better else -1)


def _stands(gain: float | None, sd: float | None) -> bool | None:
    return None if gain is None or sd is None else gain > threshold(sd)


def threshold(sd: float) -> float:
    """The gain above which a keep stands, in the metric's unit."""
    return _NORMAL.inv_cdf(LEVEL) * sd * math.sqrt(2)


def _worth(history: History, noise: Noise) -> Worth | None:
    """The winner's true value given all that was tried, with normal effects, as all attempts show them, and noise.

    A champion's belief N(m, P) and a change's effect N(μ, τ²) make what its run is expected to say; the run moves that
    as a Kalman filter does. As the effects of what was discarded are in μ and τ², the luck of a keep is taken back. μ
    and τ² are from the median and the median absolute deviation of the gains, so that runs that diverged do not count.
    """
    last = history.entries[-1].segment
    entries = [one for one in history.entries if one.segment == last and one.value is not None]
    gains = list(_gains(history, entries))
    mean = statistics.median(gains) if gains else 0.0
    spread = _MAD * statistics.median(abs(gain - mean) for gain in gains) if gains else 0.0
    tau2 = max(0.0, spread**2 - 2 * noise.sd**2)
    sign = 1 if history.higher_is_better else -1
    winner: Entry | None = None
    m = p = 0.0
    for one in entries:
        if one.fate is not Fate.KEEP or one.value is None:
            continue
        if winner is None:
            m, p = one.value, noise.sd**2
        else:
            expected, p = m + sign * mean, p + tau2
            weight = p / (p + noise.sd**2) if p else 0.0
            m, p = expected + weight * (one.value - expected), (1 - weight) * p
        winner = one
    if winner is None or winner.value is None:
        return None
    return Worth(winner, m, math.sqrt(p), sign * (winner.value - m))


def _gains(history: History, entries: Sequence[Entry]) -> Iterator[float]:
    """Of every change that was tried, kept or not, over the champion of its time; not of a change of the seed."""
    champion: Entry | None = None
    for one in entries:
        if (gain := _gain(history, champion, one)) is not None and not SEED.search(one.description):
            yield gain
        if one.fate is Fate.KEEP:
            champion = one


def _plateaus(history: History, keeps: Sequence[Keep]) -> Iterator[Plateau]:
    """A keep within the noise ends no plateau; each zoom-out begins the count anew."""
    real = {keep.entry.row for keep in keeps if keep.stands is not False}
    length, segment, since = 0, -1, 0
    for one in history.entries:
        if one.segment != segment:
            segment, length = one.segment, 0
        if one.row in real:
            length = 0
            continue
        since = since if length else one.row
        length += 1
        if length == PLATEAU:
            yield Plateau(one.row, since)
            length = 0


def _is_baseline(one: Entry) -> bool:
    return one.category == "baseline" or one.description.lower().startswith("baseline")
