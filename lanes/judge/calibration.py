"""What a judge is worth: its judgements against people's labels, as numbers and as sentences. Rules, and nothing else.

A judgement *agrees* with a label when both are the same of three: A better, about equal, B better. "About equal" agrees
with "about equal" only: a judge that will not say what people say is no help. A pair on which the two display orders
disagree is judged about equal; a pair without a judgement agrees with nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checkpoints.records import Choice, Interval
from lanes.analyze.win_rate import wilson
from lanes.judge.records import Label, Reading, turned

LABELS = 20
"""Labels that a calibration needs."""

AGREEMENT = 0.8
"""Share of the labels that the judge has to meet."""

PREFERENCES = 10
"""Labels with a preference that it has to meet: one who calls everything equal would be worth nothing."""

NAMES = {Choice.A: "A better", Choice.TIE: "about equal", Choice.B: "B better", None: "no judgement"}


@dataclass(frozen=True, slots=True)
class Report:
    """A judge beside people's labels."""

    labels: int
    agreed: int
    preferences: int
    """Labels with a preference on which it agreed."""

    confusion: Mapping[tuple[Choice, Choice | None], int]
    """How many pairs have a label (first) and a judgement (second)."""

    consistent: int
    """Pairs with the same judgement in both display orders."""

    silent: int
    """Pairs without a judgement, as a reply could not be read."""

    leaning: tuple[int, int]
    """Pairs on which the answer that was shown first fared better in both orders together, and the one shown second."""

    longer: tuple[int, int]
    """Of the pairs that it decided, with answers of different length: those it gave to the longer one, and the rest."""

    people_longer: tuple[int, int]
    """The same of people's labels."""

    note: str
    """Why there are pairs without a judgement, in the words of one of them."""

    @property
    def agreement(self) -> Interval | None:
        """Share of the labels that it met, Wilson 95 %."""
        return wilson(self.agreed, self.labels - self.agreed)

    @property
    def consistency(self) -> float:
        """Share of the judged pairs on which both display orders got the same answer; 0 where none was judged."""
        judged = self.labels - self.silent
        return self.consistent / judged if judged else 0.0

    @property
    def lacks(self) -> list[str]:
        """What is missing to pass, a line each."""
        lines: list[str] = []
        if self.labels < LABELS:
            lines.append(f"{LABELS - self.labels} more labels: {self.labels} of {LABELS} are there")
        if not self.labels or self.agreed / self.labels < AGREEMENT:
            lines.append(f"agreement of {_per_cent(AGREEMENT)}")
        if self.preferences < PREFERENCES:
            lines.append(
                f"{PREFERENCES} labels with a preference that it meets: there are {self.preferences}; "
                "a pair that people call about equal tells little"
            )
        return lines

    @property
    def passed(self) -> bool:
        """Whether it may vote."""
        return not self.lacks

    @property
    def reason(self) -> str:
        """One sentence: the evidence, then the conclusion."""
        facts = f"it met {self.agreed} of {self.labels} labels, {_share(self.agreement)}, and was consistent on "
        facts += f"{_per_cent(self.consistency)} of the pairs"
        return f"{facts}; it may vote" if self.passed else f"{facts}; it may not vote, it lacks {'; '.join(self.lacks)}"


def compare(labels: Sequence[Label], readings: Sequence[Reading]) -> Report:
    """Hold a judge's readings against the labels of the same pairs, in the same order."""
    both = [(label, reading, reading.choice) for label, reading in zip(labels, readings, strict=True)]
    met = [label for label, _, judged in both if label.choice is judged]
    leans = [_lean(reading) for reading in readings]
    return Report(
        labels=len(labels),
        agreed=len(met),
        preferences=sum(label.choice is not Choice.TIE for label in met),
        confusion=Counter((label.choice, judged) for label, _, judged in both),
        consistent=sum(judged is not None and each.first is each.second for _, each, judged in both),
        silent=sum(judged is None for *_, judged in both),
        leaning=(sum(lean > 0 for lean in leans), sum(lean < 0 for lean in leans)),
        longer=_longer([(label, judged) for label, _, judged in both]),
        people_longer=_longer([(label, label.choice) for label in labels]),
        note=next((reading.note for reading in readings if reading.choice is None and reading.note), ""),
    )


def describe(report: Report, judge: str) -> list[str]:
    """The report as lines for a person."""
    lines = [
        f"{judge} against {report.labels} labels, each pair in both display orders",
        f"agreement     {_of(report.agreed, report.labels)}, {_share(report.agreement)}",
        f"consistency   {_of(report.consistent, report.labels - report.silent)} pairs judged alike in both orders",
        f"position      {_position(*report.leaning)}",
        f"length        {_length(report)}",
        *_table(report.confusion),
    ]
    if report.silent:
        why = f": {report.note}" if report.note else ""
        lines.append(f"no judgement  {report.silent} of {report.labels} pairs{why}")
    lines += [f"missing       {line}" for line in report.lacks]
    return [*lines, "passed: it may vote, as one voter" if report.passed else "not passed: it may not vote"]


def _lean(reading: Reading) -> int:
    """By how much the answer shown first did better, over both orders; 0 where the place changed nothing."""
    if reading.first is None or reading.second is None:
        return 0
    value = {Choice.A: 1, Choice.TIE: 0, Choice.B: -1}
    return value[reading.first] + value[turned(reading.second)]


def _longer(choices: Sequence[tuple[Label, Choice | None]]) -> tuple[int, int]:
    """How many decided pairs went to the longer answer, and how many to the shorter."""
    found = Counter[bool]()
    for label, choice in choices:
        more = len(label.pair.answer_a) - len(label.pair.answer_b)
        if more and choice in (Choice.A, Choice.B):
            found[(choice is Choice.A) == (more > 0)] += 1
    return found[True], found[False]


def _position(first: int, second: int) -> str:
    if not first + second:
        return "the place of an answer changed nothing"
    chance = _by_chance(first, second)
    end = "it leans towards a place" if chance < 0.05 else f"that may be chance (p = {chance:.2f})"
    return f"on {first + second} pairs the place mattered, {first} times for the one shown first: {end}"


def _length(report: Report) -> str:
    judge, people = wilson(*report.longer), wilson(*report.people_longer)
    if judge is None or people is None:
        return "nothing was decided between answers of different length"
    apart = judge.low > people.high or judge.high < people.low
    end = "it judges length otherwise than people" if apart else "no sign that it judges length otherwise"
    own, theirs = _per_cent(judge.estimate), _per_cent(people.estimate)
    return f"{own} of its choices went to the longer answer, {theirs} of people's: {end}"


def _by_chance(some: int, others: int) -> float:
    """Exact two-sided p of a split at least as uneven where each side is as likely."""
    n, more = some + others, max(some, others)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(more, n + 1)) / 2**n)


def _table(confusion: Mapping[tuple[Choice, Choice | None], int]) -> list[str]:
    columns = [*Choice, *([None] if any(judged is None for _, judged in confusion) else [])]
    head = "people \\ judge" + "".join(f"{NAMES[judged]:>14}" for judged in columns)
    rows = [
        f"{NAMES[said]:<14}" + "".join(f"{confusion.get((said, judged), 0):>14}" for judged in columns)
        for said in Choice
    ]
    return [head, *rows]


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}"


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _share(rate: Interval | None) -> str:
    if rate is None:
        return "unknown"
    return f"{100 * rate.estimate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
