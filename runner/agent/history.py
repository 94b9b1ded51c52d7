"""What the memory tells of the past: experiments by category, near misses, beliefs, refusals, zoom-outs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING, cast

from checkpoints.records import PERSON, Change, Hypothesis, HypothesisStatus, Interval, Json, Outcome, ZoomOut
from runner.agent.gained import EVEN
from runner.agent.quoting import inline, visible
from runner.agent.shortening import Draft, Rank

if TYPE_CHECKING:
    from runner.agent.memory import Memory, Tried

RECENT = 10
"""Newest experiments, which stay in a shortened table before all others."""

NEAR = 12
"""Near misses that are told one by one."""

REACHES = 0.05
"""How far above even, in win rate, the interval of a near miss reaches; with a metric only the estimate counts."""

_BELIEF, _REASON, _STEERING, _STOCK, _CHANGE = 240, 240, 200, 1500, 160
"""Most characters of each."""

_FATES = {
    Outcome.KEEP: "kept", Outcome.DISCARD: "discarded", Outcome.INCONCLUSIVE: "inconclusive", Outcome.CRASH: "crashed",
}  # fmt: skip


def experiments(memory: Memory, whole: bool) -> Draft[Tried]:
    """All that was tried, by category; the newest, the kept and the near misses stay longest."""
    recent = {one.experiment for one in memory.tried[-RECENT:]}
    order = {category: place for place, category in enumerate(memory.space.categories)}

    def rank(one: Tried) -> Rank:
        telling = one.kept or one.vetoed
        return (0 if one.experiment in recent else 1 if telling else 2 if is_near(one) else 3, -one.experiment)

    tried = sorted(memory.tried, key=lambda one: (order.get(one.category, len(order)), one.category, one.experiment))
    return Draft(f"Experiments (effect: {unit(memory)})", tried, tried_line, 18 if whole else 6, sum_of_changes, rank)


def by_category(memory: Memory) -> Draft[str]:
    """Counts for each category, and how well effects were foreseen."""
    lines = [f"{category}: {_counts(group)}" for category, group in _grouped(memory.tried).items()]
    return Draft("Tried so far, by category", lines, str, 2, more("categories"), first=_foreseen(memory.tried))


def near_misses(memory: Memory) -> Draft[Tried]:
    """What was not kept and may still be better: the best first."""
    near = sorted((one for one in memory.tried if is_near(one)), key=lambda one: (-_estimate(one), -one.experiment))
    which = f", the best {NEAR} of {len(near)}" if len(near) > NEAR else ""
    title = f"Near misses: not kept, and yet perhaps better{which}"
    return Draft(title, near[:NEAR], tried_line, 2, more("of them"))


def beliefs(memory: Memory) -> Draft[Hypothesis]:
    """Hypotheses that were tested, with what became of them; the person's stay longest, then what holds."""
    tried = {one.experiment: one for one in memory.tried}
    status = [HypothesisStatus.SUPPORTED, HypothesisStatus.OPEN, HypothesisStatus.REFUTED]
    tested = sorted(
        (belief for belief in memory.hypotheses if any(number in tried for number in belief.experiments)),
        key=lambda belief: (status.index(belief.status), belief.number),
    )

    def say(belief: Hypothesis) -> str:
        numbers = [number for number in belief.experiments if number in tried]
        named = ", ".join(f"#{number}{' vetoed' if tried[number].vetoed else ''}" for number in numbers)
        whose = " of the person" if belief.source == PERSON else ""
        return f"H{belief.number}{whose} {belief.status} ({named}): {inline(belief.text, _BELIEF)}"

    def rank(belief: Hypothesis) -> Rank:
        return (belief.source != PERSON, status.index(belief.status), -belief.number)

    def sum_up(rest: Sequence[Hypothesis]) -> list[str]:
        return [f"{count} more {status}" for status, count in Counter(belief.status for belief in rest).items()]

    return Draft("Hypotheses that were tested", tested, say, 3, sum_up, rank)


def refused(memory: Memory) -> Draft[str]:
    """Proposals that were refused of late, the same reason once; the newest first."""
    by_reason: dict[str, list[Json]] = {}
    for refusal in reversed(memory.refusals):
        by_reason.setdefault(refusal.reason, []).append(refusal.proposal)
    lines = [
        f"{inline(reason, _REASON)}: {_proposed(them[0])}{f', and {len(them) - 1} more' if them[1:] else ''}"
        for reason, them in by_reason.items()
    ]
    return Draft("Refused of late, and why", lines, str, 1, more("reasons"))


def zoom_outs(memory: Memory, whole: bool) -> Draft[ZoomOut]:
    """Steps outside the frame and what came of them, the newest first; with their texts where there is room for it."""
    kept = {one.experiment for one in memory.tried if one.kept}

    def say(one: ZoomOut) -> str:
        followed = [number for number, zoom_out in memory.followed if zoom_out == one.number]
        line = f"zoom-out {one.number} ({one.trigger}) named {', '.join(one.categories) or 'nothing'}: "
        line += f"{len(followed)} experiments followed, {len(kept.intersection(followed))} kept"
        line += f"; the person asked to look at {inline(one.steering, _STEERING)}" if one.steering else ""
        return f"{line}; it said {inline(one.text, _STOCK)}" if whole else line

    return Draft("Zoom-outs so far", memory.zoom_outs[::-1], say, 1, more("before them"))


def more(what: str) -> Callable[[Sequence[object]], list[str]]:
    """Sums up by number alone."""
    return lambda rest: [f"{len(rest)} more {what}"]


def tried_line(one: Tried) -> str:
    """One experiment in a line: its change, its fate and its effect."""
    line = f"#{one.experiment} {one.category}: {changed(one.change)}"
    line += f", because {inline(one.hypothesis, _CHANGE)}" if one.change.edited else ""
    line += f": {fate(one)}"
    if one.gain:
        line += f", {effect(one.gain, one.effect is None)}"
    if one.expected is not None:
        line += f", expected {_size(one.expected, one.effect is None)}"
    return f"{line}: {inline(one.note, _REASON)}" if one.note else line


def changed(change: Change) -> str:
    """A change in a few words; of an edited file, not what was written there."""
    said = " ".join(visible(str(change)).split())
    return said if len(said) <= _CHANGE else f"{said[: _CHANGE - 1]}…"


def fate(one: Tried) -> str:
    """What became of it."""
    if one.vetoed:
        return "vetoed by the person"
    if one.kept:
        return "kept"
    return _FATES[one.outcome] if one.outcome else "under way"


def is_near(one: Tried) -> bool:
    """Whether it was not kept although its effect is, or may well be, above even."""
    if one.kept or one.vetoed or one.outcome not in (Outcome.DISCARD, Outcome.INCONCLUSIVE):
        return False
    if one.effect:
        return one.effect.estimate > 0
    return one.win_rate is not None and (_estimate(one) > 0 or one.win_rate.high - EVEN >= REACHES)


def unit(memory: Memory) -> str:
    """What an effect is measured in."""
    measure = "points of win rate above even" if memory.in_votes else "gain in the metric's unit, above 0 is better"
    return f"{measure}, with its 95 % interval"


def effect(gain: Interval, in_votes: bool) -> str:
    """A gain with its interval."""
    return f"{_size(gain.estimate, in_votes)} [{_size(gain.low, in_votes)}, {_size(gain.high, in_votes)}]"


def sum_of_changes(tried: Sequence[Tried]) -> list[str]:
    """What is left out of a table of experiments, a line for each category."""
    return [
        f"{len(group)} more {category} changes: {sum(one.kept for one in group)} kept, best {_best(group)}"
        for category, group in _grouped(tried).items()
    ]


def _grouped(tried: Sequence[Tried]) -> dict[str, list[Tried]]:
    groups: dict[str, list[Tried]] = {}
    for one in tried:
        groups.setdefault(one.category, []).append(one)
    return groups


def _size(gain: float, in_votes: bool) -> str:
    return f"{100 * gain:+.1f}" if in_votes else f"{gain:+.4g}"


def _estimate(one: Tried) -> float:
    """Middle of what it gained; what was not measured is behind all else."""
    return one.gain.estimate if one.gain else -inf


def _best(group: Sequence[Tried]) -> str:
    best = max(group, key=_estimate)
    return effect(best.gain, best.effect is None) if best.gain else "not measured"


def _proposed(proposal: Json) -> str:
    """What was refused, in a few words: the change, where there is one that looks like one."""
    change: object = proposal.get("change") or proposal
    words = cast(Json, change) if isinstance(change, dict) else {}
    if "field" in words:
        return inline(f"{words['field']} = {json.dumps(words.get('new'), ensure_ascii=False)}", _CHANGE)
    return inline(json.dumps(change, ensure_ascii=False), _CHANGE)


def _counts(group: Sequence[Tried]) -> str:
    fates = Counter(fate(one) for one in group)
    return f"{len(group)} tried, {', '.join(f'{n} {what}' for what, n in fates.items())}; best {_best(group)}"


def _foreseen(tried: Sequence[Tried]) -> str:
    """How sizes that were expected compare with those that came; empty where none was."""
    both = [(one.expected, one.gain, one.effect is None) for one in tried if one.expected is not None and one.gain]
    if not both:
        return ""
    held = sum(gain.low <= expected <= gain.high for expected, gain, _ in both)
    in_votes = both[0][2]
    meant, came = (
        fmean(sizes) for sizes in zip(*((expected, gain.estimate) for expected, gain, _ in both), strict=True)
    )
    return (
        f"Foreseen: of {len(both)} expected effects {held} lie within the interval that came;"
        f" {_size(meant, in_votes)} was expected on average, {_size(came, in_votes)} came"
    )
