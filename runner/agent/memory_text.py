"""What the memory says, section by section: what the person said first, then what is open, then what was learnt."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from checkpoints.records import BASELINE, PERSON, Change, Hypothesis, model_name
from checkpoints.thought import Note
from runner.agent import history
from runner.agent.history import more, tried_line
from runner.agent.quoting import inline, visible, without_blocks
from runner.agent.shortening import Draft, Rank, Section, fit

if TYPE_CHECKING:
    from runner.agent.memory import Memory, Tried

OPEN = "What may be changed, and nothing else"
"""Title of what is open."""

_LONGEST = 600
"""Characters from which a line of the program is broken, so that a part of it can stay."""

_PLAN = 400
"""Most characters of a plan."""


def sections(memory: Memory, budget: int, whole: bool = False, space: bool = True) -> tuple[Section, ...]:
    """All of them that have anything to say, together within a budget.

    Args:
        memory: What they are made of, and of nothing else: the same memory has the same sections.
        budget: Most tokens, by estimate.
        whole: With most of the room for the table of experiments, and with what zoom-outs said.
        space: With what may be changed.
    """
    drafts = [
        _notes(memory),
        _task(memory),
        _program(memory),
        *([_space(memory)] if space else []),
        _vetoes(memory),
        _champion(memory),
        _bound(memory),
        _plans(memory),
        _never(memory),
        history.by_category(memory),
        history.near_misses(memory),
        history.experiments(memory, whole),
        history.beliefs(memory),
        history.refused(memory),
        history.zoom_outs(memory, whole),
    ]
    return fit(drafts, budget)


def _notes(memory: Memory) -> Draft[Note]:
    """A person's own words; the newest stay longest."""
    title = "Notes of the person: they outrank all that you believe and all that is written below"
    return Draft(
        title,
        memory.notes,
        lambda note: f"- {_indented(note.text)}",
        3,
        more("notes, older ones"),
        lambda note: (-note.number,),
        vital=True,
    )


def _indented(text: str) -> str:
    """A text whose further lines stand under its first, so that none of them looks like one of ours."""
    return "\n  ".join(visible(text).strip().splitlines())


def _task(memory: Memory) -> Draft[str]:
    lines = [f"Goal: {' '.join(visible(memory.goal).split())}", f"An effect is in {history.unit(memory)}."]
    if memory.experiments is not None:
        lines.append(
            f"The budget has {memory.experiments} experiments; {len(memory.tried)} were tried or are under way."
        )
    return Draft("The task", lines, str, 1, more("lines"), vital=True)


def _program(memory: Memory) -> Draft[str]:
    """The program's prose as it is; its beginning stays longest."""
    lines = _broken(visible(memory.prose).strip())
    return Draft("The person's program", lines, str, 4, more("lines of the program"), vital=True)


def _space(memory: Memory) -> Draft[str]:
    """What is open; files that may be edited are no part of the memory, and are handed over beside it."""
    lines = _broken(without_blocks(memory.space.describe(memory.recipe)).strip())
    return Draft(OPEN, lines, str, 4, more("lines of what may be changed"), vital=True)


def _vetoes(memory: Memory) -> Draft[Tried]:
    """What a person took back, with the reason; the newest stay longest."""
    vetoed = [one for one in memory.tried if one.vetoed]
    title = "Vetoed: never propose these again"
    return Draft(title, vetoed, tried_line, 2, more("vetoes, older ones"), lambda one: (-one.experiment,), vital=True)


def _champion(memory: Memory) -> Draft[Tried]:
    """Who reigns, and the keeps that led there; its own stays longest, then those that gained most."""
    tried = {one.experiment: one for one in memory.tried}
    line = [tried[number] for number in memory.lineage if number in tried]

    def rank(one: Tried) -> Rank:
        return (one.experiment != memory.champion, -one.gain.estimate if one.gain else 0.0, -one.experiment)

    title = "Champion, and the keeps that its recipe is made of"
    return Draft(title, line, tried_line, 2, more("keeps on the way"), rank, first=_reigning(memory))


def _reigning(memory: Memory) -> str:
    """Who reigns, and whose recipe the next change is applied to where that is somebody else's."""
    if memory.champion is None:
        return "none yet"
    if memory.base is None:
        return _champion_now(memory)
    return f"{_champion_now(memory)}; the next change is applied to the recipe of {model_name(memory.base)}"


def _champion_now(memory: Memory) -> str:
    assert memory.champion is not None
    best = memory.best
    name = f"{model_name(memory.champion)}{', the baseline,' if memory.champion == BASELINE else ''} reigns"
    if best is None:
        return name
    if memory.in_votes:
        return f"{name}; win rate against the reference {best.estimate:.1%} [{best.low:.1%}, {best.high:.1%}]"
    return f"{name}; its metric is {best.estimate:.6g} [{best.low:.6g}, {best.high:.6g}]"


def _bound(memory: Memory) -> Draft[str]:
    """What the last zoom-out asks of the next proposals, and what diversity does."""
    lines = [f"from one of: {', '.join(memory.allowed)}"] if memory.allowed else []
    told = memory.allowed or memory.space.categories
    lines += [f"not from {category}: {why}" for category, why in memory.barred.items() if category in told]
    return Draft("Where the next proposals must come from", lines, str, 1, more("lines"), vital=True)


def _plans(memory: Memory) -> Draft[Hypothesis]:
    """What nobody has tested yet: a person's first, then the last zoom-out's, then the agent's own."""
    return Draft("Open plans, not tested yet: the person's come first", memory.plans, _plan, 3, more("plans"))


def _plan(one: Hypothesis) -> str:
    whose = "of the person" if one.source == PERSON else f"of {one.source}"
    refuted = f", refuted by {inline(one.refuted_by, _PLAN)}" if one.refuted_by else ""
    return f"H{one.number} {whose} ({one.category}): {inline(one.text, _PLAN)}{refuted}"


def _never(memory: Memory) -> Draft[str]:
    """Open categories and fields from which nothing was tried, nor is under way."""
    categories = {one.category for one in memory.tried}
    fields = {part.field for one in memory.tried for part in (one.change, *one.change.also)}
    never = [category for category in memory.space.categories if category not in categories]
    by_category: dict[str, list[str]] = {}
    for field in memory.space.fields:
        if field not in fields:
            by_category.setdefault(memory.space.category_of(Change(field, None, None)), []).append(field)
    lines = [f"categories: {', '.join(never)}"] if never else []
    lines += [f"{category or 'files'}: {', '.join(names)}" for category, names in by_category.items()]
    return Draft("Never tried so far", lines, str, 2, more("lines of what was never tried"))


def _broken(text: str) -> list[str]:
    """A text as lines; very long ones are broken."""
    return [part for line in text.splitlines() for part in ([line] if len(line) <= _LONGEST else wrap(line, _LONGEST))]
