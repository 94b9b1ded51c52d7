"""A simulated agent of habit, and a loop in memory that drives it by the program's own rules of zoom-outs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from bench.parts.landscape import KNOBS, Landscape, values
from bench.worlds import Judging, Recipe
from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    Championship,
    Change,
    Experiment,
    Hypothesis,
    HypothesisStatus,
    Interval,
    Json,
    Outcome,
    Proposal,
    Row,
    State,
    Verdict,
    ZoomOut,
)
from checkpoints.thought import Message
from lanes.analyze.metric_rule import MetricRule
from runner.agent.asking import Answer, Question, Unreadable
from runner.agent.checks import check
from runner.agent.memory import ZOOM_OUT, Memory, remember
from runner.agent.playbook import Playbook
from runner.agent.proposer import Proposer
from runner.agent.stock import Stock
from runner.agent.taking_stock import take_stock
from runner.agent.talk import Reply
from runner.agent.zoom_out import due
from runner.change import ChangeRefused
from runner.program import Program
from runner.space import get

_ENDS = {Outcome.KEEP: State.KEPT, Outcome.CRASH: State.CRASHED}


@dataclass(frozen=True, slots=True)
class Habit:
    """How an agent chooses a category."""

    stay: float
    """Probability that it is that of its last change."""

    open: float
    """Probability, where it is not, that it is one that was never tried; else it is any other that it thinks of."""


class Habitual:
    """Stays where it was, or goes where it has been; what it tries there is drawn evenly from what is left to try.

    It begins with all the knobs in mind. Told that a category is barred, it takes any that is not.
    """

    name = "habitual"

    def __init__(self, habit: Habit, seed: int) -> None:
        self.habit = habit
        self._chance = random.Random(f"agent {seed}")

    async def propose(self, memory: Memory) -> Proposal | None:
        """One change of the category that it goes to, or of another one where nothing is left there."""
        free = [category for category in memory.space.categories if category not in memory.barred]
        first = self._category(memory)
        if first not in free:
            first = self._chance.choice(free)
        for category in (first, *self._chance.sample(free, len(free))):
            if changes := _untried(category, memory):
                change = self._chance.choice(changes)
                zoom_out = memory.zoom_out.number if memory.zoom_out and category in memory.allowed else None
                return Proposal(f"{change} is better", category, change, self.name, zoom_out)
        return None

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        """As the playbook does: what was never tried, where there is any."""
        return await Playbook().take_stock(memory, trigger, steering)

    async def answer(self, memory: Memory, turns: Sequence[Message], question: str) -> Reply:
        """Nothing: nobody asks it."""
        return Reply("")

    def _category(self, memory: Memory) -> str:
        last = memory.tried[-1].category if memory.tried else KNOBS[0]
        if memory.tried and self._chance.random() < self.habit.stay:
            return last
        thought_of = {*KNOBS, *(one.category for one in memory.tried)}
        never = [category for category in memory.space.categories if category not in thought_of]
        if never and self._chance.random() < self.habit.open:
            return self._chance.choice(never)
        return self._chance.choice(sorted(thought_of - {last}))


class Stubborn(Habitual):
    """Asked to step outside the frame as a language model is, it names only where it has been most."""

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        """What the program makes of that answer; the playbook's where it makes nothing of it."""
        been = Counter(one.category for one in memory.tried).most_common(2)
        try:
            return await take_stock(_Says(tuple(category for category, _ in been)), memory, trigger, steering)
        except Unreadable:
            return await super().take_stock(memory, trigger, steering)


class _Says:
    """A language model that names these categories, whatever it is told."""

    name = "stubborn"

    def __init__(self, categories: tuple[str, ...]) -> None:
        self.categories = categories

    async def ask(self, question: Question) -> Answer:
        directions = [{"category": each, "text": f"more of {each}"} for each in self.categories]
        said = {"taking_stock": "It goes well.", "doubts": "", "categories": [*self.categories]}
        return Answer("", said | {"directions": directions}, 0)

    async def close(self) -> None: ...


def _untried(category: str, memory: Memory) -> list[Change]:
    found: list[Change] = []
    for name in memory.space.fields:
        old = get(memory.recipe, name)
        for new in values(name):
            change = Change(name, old, new)
            if memory.space.category_of(change) != category or new == old:
                continue
            if memory.space.canonical(change, memory.recipe) not in memory.hashes:
                found.append(change)
    return found


@dataclass
class Kept:
    """What a store would have kept: answers what the memory asks of a reader."""

    program: Program
    rows: list[Row] = field(default_factory=list[Row])
    stocks: list[ZoomOut] = field(default_factory=list[ZoomOut])
    beliefs: list[Hypothesis] = field(default_factory=list[Hypothesis])
    hashes: set[str] = field(default_factory=set[str])
    reign: int = BASELINE

    def champion(self) -> Championship:
        return Championship(self.reign, 0.0, None, "")

    def recipes(self, *numbers: int) -> dict[int, Json]:
        return {number: recipe for number in numbers if (recipe := self.rows[number].experiment.recipe)}

    def zoom_outs(self) -> list[ZoomOut]:
        return self.stocks

    def hypotheses(self) -> list[Hypothesis]:
        return self.beliefs

    def tried_hashes(self) -> set[str]:
        return self.hashes

    def notes(self) -> list[object]:
        return []

    def refusals(self, last: int | None = None) -> list[object]:
        return []

    def memory(self) -> Memory:
        """By the same function as from a store."""
        return remember(cast(Reader, self), self.program, self.rows)


@dataclass(frozen=True, slots=True)
class Climb:
    """One seed's night."""

    worths: tuple[float, ...]
    """True worth of the champion after each experiment, the baseline first; in σ."""

    changes: tuple[Change, ...]
    zoom_outs: tuple[ZoomOut, ...]


async def climb(proposer: Proposer, program: Program, seed: int, experiments: int, zooms: bool = True) -> Climb:
    """A night of experiments, one after the other: stock where it is due, a proposal, its check, its verdict.

    The rules are the program's (`due`, `remember`, `check`); the verdict is that of the metric on fresh seeds.

    Args:
        proposer: Who proposes and takes stock.
        program: Whose settings say when stock is due.
        seed: Of the landscape and the noise.
        experiments: Of the night.
        zooms: Whether stock is taken at all.
    """
    kept, landscape = Kept(program), Landscape(seed)
    judging = Judging(MetricRule(), random.Random(f"noise {seed}"))
    judging.begin()
    kept.rows.append(_row(Proposal("", "baseline", None, "program"), program.start, None, Outcome.KEEP, kept))
    worths, changes = [landscape.worth(program.start)], list[Change]()
    while len(changes) < experiments:
        if zooms:
            await _stock(proposer, kept)
        proposal = await _accepted(proposer, kept)
        recipe = program.space.apply(proposal.change or _nothing(), kept.memory().recipe)
        kept.hashes.add(program.space.canonical(proposal.change or _nothing(), recipe))
        outcome = judging.experiment(Recipe(landscape.worth(recipe)))
        kept.rows.append(_row(proposal, recipe, kept.reign, outcome, kept))
        if outcome is Outcome.KEEP:
            kept.reign = len(kept.rows) - 1
        champion = kept.rows[kept.reign].experiment.recipe or {}
        worths.append(landscape.worth(champion))
        changes.append(proposal.change or _nothing())
    return Climb(tuple(worths), tuple(changes), tuple(kept.stocks))


async def _stock(proposer: Proposer, kept: Kept) -> None:
    trigger = due(kept.rows, kept.stocks, kept.program.zoom_out)
    if trigger is None:
        return
    stock = await proposer.take_stock(kept.memory(), trigger, "")
    number, at = len(kept.stocks) + 1, len(kept.rows) - 0.5
    directions = tuple(idea.text for idea in stock.directions)
    kept.stocks.append(ZoomOut(number, trigger, "", stock.text, stock.categories, at, directions))
    for idea in stock.directions:
        open_now = HypothesisStatus.OPEN
        kept.beliefs.append(Hypothesis(len(kept.beliefs) + 1, idea.text, idea.category, open_now, (), ZOOM_OUT))


async def _accepted(proposer: Proposer, kept: Kept) -> Proposal:
    """The proposer's; where it has none, the playbook's, which is not bound by what is barred, stands in."""
    while True:
        memory = kept.memory()
        proposal = await proposer.propose(memory)
        if proposal is None:
            proposal = await Playbook().propose(memory)
        assert proposal is not None, "the space has more changes than a night has experiments"
        try:
            check(proposal, memory, obliged=proposal.proposer == proposer.name)
        except ChangeRefused:
            continue
        return proposal


def _row(proposal: Proposal, recipe: Json, parent: int | None, outcome: Outcome, kept: Kept) -> Row:
    number = len(kept.rows)
    state = _ENDS.get(outcome, State.DISCARDED)
    contains = frozenset[int]() if parent is None else kept.rows[parent].contains | {parent}
    experiment = Experiment(number, state, proposal, recipe, parent, parent, float(number), number + 0.25, "")
    effect = Interval(0.0, -1.0, 1.0)
    verdict = Verdict(number, outcome, 0, 0, 0, None, None, None, None, "", number + 0.25, effect=effect)
    return Row(experiment, verdict, contains=contains)


def _nothing() -> Change:
    raise AssertionError("what was accepted has a change")
