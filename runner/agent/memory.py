"""What is handed to whoever proposes: rebuilt from the store each time, so that nothing is lost with the process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    Change,
    Hypothesis,
    HypothesisStatus,
    Interval,
    Json,
    Outcome,
    Row,
    State,
    ZoomOut,
    model_name,
)
from runner.plan import Plan
from runner.space import ChangeSpace

_NOT_TRIED = frozenset({State.CANCELLED})


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Memory:
    """All that a proposal may rest on."""

    goal: str
    prose: str
    """The program's text for the agent."""

    champion: int | None
    recipe: Json
    """The champion's, or the program's own before there is one."""

    space: ChangeSpace
    tried: tuple[Tried, ...]
    """In the order of the experiments."""

    hashes: frozenset[str]
    """Canonical hashes of the changes that were tried."""

    hypotheses: tuple[Hypothesis, ...]
    zoom_out: ZoomOut | None
    """The last one, while its categories bind the next proposals."""

    @property
    def allowed(self) -> tuple[str, ...]:
        """Categories that the next proposal must come from; empty when any will do."""
        return self.zoom_out.categories if self.zoom_out else ()

    def text(self) -> str:
        """The memory as a person, or a model, reads it."""
        champion = model_name(self.champion) if self.champion is not None else "none yet"
        parts = [f"Goal: {self.goal}", f"Champion: {champion}", "Tried:", *(_line(tried) for tried in self.tried)]
        marks = {HypothesisStatus.SUPPORTED: "✓", HypothesisStatus.REFUTED: "✗", HypothesisStatus.OPEN: "?"}
        parts += ["Believed:", *(f"  {marks[belief.status]} {belief.text}" for belief in self.hypotheses)]
        if self.allowed:
            parts.append(f"The next proposals come from: {', '.join(self.allowed)}")
        return "\n".join(parts)


def remember(read: Reader, program: Plan, rows: Sequence[Row], closed: Collection[str] = ()) -> Memory:
    """Build the memory from what the store says now.

    Args:
        rows: All experiments of the run, with or without their recipes.
        closed: Fields of the space that cannot be changed yet.
    """
    reign = read.champion()
    champion = reign.experiment if reign else None
    recipe = read.recipes(champion).get(champion) if champion is not None else None
    return Memory(
        goal=program.goal,
        prose=program.prose,
        champion=champion,
        recipe=recipe or program.start,
        space=program.space.without(closed),
        tried=tuple(tried for row in rows if (tried := _tried(row))),
        hashes=frozenset(read.tried_hashes()),
        hypotheses=tuple(read.hypotheses()),
        zoom_out=_binding(read.zoom_outs(), rows),
    )


def _tried(row: Row) -> Tried | None:
    experiment, verdict = row.experiment, row.verdict
    change = experiment.proposal.change
    if experiment.number == BASELINE or change is None or experiment.state in _NOT_TRIED:
        return None
    return Tried(
        experiment=experiment.number,
        category=experiment.proposal.category,
        change=change,
        outcome=verdict.outcome if verdict else None,
        vetoed=experiment.state is State.VETOED,
        win_rate=verdict.win_rate if verdict else None,
        note=experiment.note,
    )


def _binding(zoom_outs: Sequence[ZoomOut], rows: Sequence[Row]) -> ZoomOut | None:
    """The last zoom-out, until as many proposals have followed from it as it named categories."""
    if not zoom_outs:
        return None
    last = zoom_outs[-1]
    followed = [row for row in rows if row.experiment.proposal.zoom_out == last.number]
    alive = [row for row in followed if row.experiment.state not in _NOT_TRIED]
    return last if len(alive) < len(last.categories) else None


def _line(tried: Tried) -> str:
    rate = tried.win_rate
    evidence = f"{rate.estimate:.1%} [{rate.low:.1%}, {rate.high:.1%}]" if rate else "no evidence"
    fate = "vetoed" if tried.vetoed else str(tried.outcome or "under way")
    note = f" ({tried.note})" if tried.note else ""
    return f"  #{tried.experiment} {tried.category}: {tried.change}: {fate}, {evidence}{note}"
