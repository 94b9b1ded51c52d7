"""What is handed to whoever proposes: rebuilt from the store each time, so that nothing is lost with the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    PERSON,
    PLAYBOOK,
    Change,
    Hypothesis,
    HypothesisStatus,
    Interval,
    Json,
    Outcome,
    Row,
    State,
    ZoomOut,
)
from checkpoints.thought import Note, Refusal
from runner.agent.diversity import barred
from runner.agent.gained import gained
from runner.agent.left import left
from runner.agent.memory_text import sections
from runner.agent.shortening import Section
from runner.change import ChangeRefused
from runner.plan import Plan
from runner.space import ChangeSpace

BUDGET = 8000
"""Tokens of the text where the program says nothing else."""

WHOLE = 4
"""How many times its budget the text may take where it is to have the whole history: with the default, one line for
each of some five hundred experiments."""

REFUSALS = 40
"""Newest refusals that are looked at."""

ZOOM_OUT = "zoom-out"
"""Whose a belief is that came up in a zoom-out."""

_WHOSE = {PERSON: 0, ZOOM_OUT: 1}
"""Whose plans come first."""

_NOT_TRIED = frozenset({State.CANCELLED})


@dataclass(frozen=True)  # without slots: what it gained is worked out once
class Tried:
    """One change that was tried, or is under way."""

    experiment: int
    category: str
    change: Change
    outcome: Outcome | None
    """None while it is under way."""

    vetoed: bool
    win_rate: Interval | None
    """Against its opponent."""

    note: str
    kept: bool = False
    """Kept now, by its verdict or by a person."""

    effect: Interval | None = None
    """Gain over its opponent in the metric's unit; None where people voted."""

    expected: float | None = None
    """The gain that was expected, in the unit of ``gain``."""

    hypothesis: str = ""
    parent: int | None = None
    """Champion whose recipe it was applied to."""

    @cached_property
    def gain(self) -> Interval | None:
        """What it gained over its opponent, above 0 is better: in win rate above even, or in the metric's unit."""
        return gained(self.win_rate, self.effect)


@dataclass(frozen=True)
class Memory:
    """All that a proposal may rest on."""

    goal: str
    prose: str
    """The program's text for the agent."""

    champion: int | None
    recipe: Json
    """That of ``parent``, or the program's own before there is one."""

    space: ChangeSpace
    tried: tuple[Tried, ...]
    """In the order of the experiments."""

    hashes: frozenset[str]
    """Canonical hashes of the changes that were tried."""

    hypotheses: tuple[Hypothesis, ...]
    zoom_out: ZoomOut | None
    """The last one, while its categories bind the next proposals."""

    notes: tuple[Note, ...] = ()
    """A person's, which outrank what the agent believes."""

    lineage: tuple[int, ...] = ()
    """Kept experiments whose changes are in the champion's recipe, the oldest first, its own last."""

    zoom_outs: tuple[ZoomOut, ...] = ()
    """All of the run, the newest last."""

    followed: tuple[tuple[int, int], ...] = ()
    """Experiment and zoom-out of each proposal that followed from one."""

    refusals: tuple[Refusal, ...] = ()
    """The newest ones, the newest last."""

    best: Interval | None = None
    """The champion's metric, or its win rate against the reference; None while nobody knows."""

    in_votes: bool = True
    """Whether people judge; else a metric does."""

    experiments: int | None = None
    """Experiments that the budget allows; None where nobody said."""

    budget: int = BUDGET
    """Most tokens of its text."""

    base: int | None = None
    """Experiment whose recipe the next change is applied to, where that is not the champion."""

    barred: Mapping[str, str] = field(default_factory=dict[str, str])
    """Categories that the next proposal may not come from, with the reason of each; see ``runner.agent.diversity``."""

    @cached_property
    def by_hash(self) -> Mapping[str, tuple[Tried, ...]]:
        """What was tried by what it comes to now, the newest first; made once for all candidates of a proposal."""
        same: dict[str, tuple[Tried, ...]] = {}
        for one in self.tried:
            came_to = self.hash(one.change)
            same[came_to] = (one, *same.get(came_to, ()))
        return same

    def hash(self, change: Change) -> str:
        """What a change comes to; an old one may no longer come to anything, and is then the same as no other."""
        try:
            return self.space.canonical(change, self.recipe)
        except ChangeRefused:
            return f"none: {change}"

    @property
    def parent(self) -> int | None:
        """Experiment whose recipe the next change is applied to; None before there is a champion."""
        return self.champion if self.base is None else self.base

    @property
    def allowed(self) -> tuple[str, ...]:
        """Categories that the next proposal must come from; empty when any will do."""
        return self.zoom_out.categories if self.zoom_out else ()

    @property
    def plans(self) -> list[Hypothesis]:
        """Open hypotheses that nothing tests yet: a person's first, then the zoom-outs', the agent's own newest first.

        What the playbook believed goes with its proposal: it is no idea of anybody's, and it comes up again by itself.
        """
        tried = {one.experiment for one in self.tried}
        untested = [
            one
            for one in self.hypotheses
            if one.status is HypothesisStatus.OPEN and one.source != PLAYBOOK and tried.isdisjoint(one.experiments)
        ]
        return sorted(
            untested, key=lambda one: (_WHOSE.get(one.source, 2), one.number if one.source == PERSON else -one.number)
        )

    def sections(self, whole: bool = False, space: bool = True) -> tuple[Section, ...]:
        """The memory in parts, as a person or a model reads them; the same memory has the same ones.

        Args:
            whole: With the whole history, in ``WHOLE`` times the budget.
            space: With what may be changed; whoever hands that over beside it leaves it out.
        """
        return sections(self, self.budget * WHOLE if whole else self.budget, whole, space)

    def text(self, whole: bool = False, space: bool = True) -> str:
        """The same as one text, within the budget."""
        return "\n\n".join(map(str, self.sections(whole, space)))


def remember(
    read: Reader, program: Plan, rows: Sequence[Row], closed: Collection[str] = (), base: int | None = None
) -> Memory:
    """Build the memory from what the store says now.

    Args:
        read: The run's store.
        program: In force.
        rows: All experiments of the run, with or without their recipes.
        closed: Fields of the space that cannot be changed yet.
        base: Experiment whose recipe the next change is applied to; None is the champion.
    """
    reign = read.champion()
    champion = reign.experiment if reign else None
    parent = champion if base is None else base
    recipe = read.recipes(parent).get(parent) if parent is not None else None
    zoom_outs, space = read.zoom_outs(), program.space.without(closed)
    memory = Memory(
        goal=program.goal,
        prose=program.prose,
        champion=champion,
        recipe=recipe or program.start,
        space=space,
        tried=tuple(tried for row in rows if (tried := _tried(row))),
        hashes=frozenset(read.tried_hashes()),
        hypotheses=tuple(read.hypotheses()),
        zoom_out=None,
        notes=tuple(read.notes()),
        lineage=() if champion is None else (*sorted(rows[champion].contains - {champion}), champion),
        zoom_outs=tuple(zoom_outs),
        followed=_followed(rows),
        refusals=tuple(read.refusals(last=REFUSALS)),
        best=_best(rows[champion]) if champion is not None else None,
        in_votes=program.in_votes,
        experiments=program.budget.experiments,
        budget=program.agent.memory_tokens,
        base=base,
    )
    open_now = left(memory)
    binding = _binding(zoom_outs, rows, open_now)
    told = barred(rows, zoom_outs, binding, open_now, program.zoom_out.streak, program.agent.quotas)
    return replace(memory, zoom_out=binding, barred=told)


def _tried(row: Row) -> Tried | None:
    experiment, verdict = row.experiment, row.verdict
    proposal = experiment.proposal
    if experiment.number == BASELINE or proposal.change is None or experiment.state in _NOT_TRIED:
        return None
    return Tried(
        experiment=experiment.number,
        category=proposal.category,
        change=proposal.change,
        outcome=verdict.outcome if verdict else None,
        vetoed=experiment.state is State.VETOED,
        win_rate=verdict.win_rate if verdict else None,
        note=experiment.note,
        kept=experiment.state is State.KEPT,
        effect=verdict.effect if verdict else None,
        expected=proposal.expected.effect if proposal.expected else None,
        hypothesis=proposal.hypothesis,
        parent=experiment.parent,
    )


def _best(row: Row) -> Interval | None:
    return (row.verdict.value or row.verdict.reference) if row.verdict else None


def _followed(rows: Sequence[Row]) -> tuple[tuple[int, int], ...]:
    """Those that were tried and that a zoom-out led to."""
    return tuple(
        (row.experiment.number, row.experiment.proposal.zoom_out)
        for row in rows
        if row.experiment.proposal.zoom_out is not None and row.experiment.state not in _NOT_TRIED
    )


def _binding(zoom_outs: Sequence[ZoomOut], rows: Sequence[Row], open_now: Collection[str]) -> ZoomOut | None:
    """The last zoom-out with those of its categories in which something is left, until as many proposals have followed
    from it as it named, or none of them has anything."""
    if not zoom_outs:
        return None
    last = zoom_outs[-1]
    alive = [number for number, zoom_out in _followed(rows) if zoom_out == last.number]
    categories = tuple(category for category in last.categories if category in open_now)
    return replace(last, categories=categories) if categories and len(alive) < len(last.categories) else None
