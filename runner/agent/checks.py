"""What every proposal is checked for beyond the space: vetoes, what was tried before, and where to look next."""

from __future__ import annotations

from collections.abc import Iterator

from checkpoints.records import PERSON, Change, Outcome, Proposal
from runner.agent.memory import Memory, Tried
from runner.change import ChangeRefused, contains, invert

_DECIDED = (Outcome.KEEP, Outcome.DISCARD)


def check(proposal: Proposal, memory: Memory, obliged: bool = True) -> None:
    """Say whether the next experiment may be this one.

    Args:
        proposal: With a change.
        memory: As it is now.
        obliged: Whether it has to keep to the categories that are not barred.

    Raises:
        ChangeRefused: It may not, and why, for whoever proposed it.
    """
    change = proposal.change
    assert change is not None, "only the baseline has no change"
    memory.space.check(change, memory.recipe)
    _check_category(proposal, change, memory)
    _check_vetoes(change, memory)
    _check_news(proposal, change, memory)
    if obliged and (why := memory.barred.get(proposal.category)) and not _is_a_persons(proposal, memory):
        raise ChangeRefused(f"not {proposal.category} now: {why}")


def _check_category(proposal: Proposal, change: Change, memory: Memory) -> None:
    is_of = memory.space.category_of(change)
    if is_of and is_of != proposal.category:
        raise ChangeRefused(f"category: a change of {change.field} is of {is_of}, not of {proposal.category}")


def _check_vetoes(change: Change, memory: Memory) -> None:
    for one in memory.tried:
        if one.vetoed and contains(change, one.change, lambda made: _hash(made, memory)):
            why = f": {one.note}" if one.note else ""
            raise ChangeRefused(f"{change}: a person vetoed this change as #{one.experiment}{why}")


def _check_news(proposal: Proposal, change: Change, memory: Memory) -> None:
    """Refuse what was tried before, unless something is different now, and what goes back to the champion's parent."""
    how = "say in `differs` what is different now, or propose another change"
    if memory.space.canonical(change, memory.recipe) in memory.hashes:
        before = next(_same(change, memory), None)
        if before is None:
            raise ChangeRefused(f"{change}: was tried before, or a person skipped it")
        if before.outcome is None and not before.vetoed:
            raise ChangeRefused(f"{change}: is under way as #{before.experiment}")
        if not proposal.differs:
            raise ChangeRefused(f"{change}: was tried before as #{before.experiment}, {before.outcome}; {how}")
        if before.parent == memory.parent and before.outcome in _DECIDED:
            same = f"#{before.experiment} made the same change to the same recipe: {before.outcome}"
            raise ChangeRefused(f"{change}: nothing is different, {same}")
    elif not proposal.differs and (kept := _takes_back(change, memory)):
        raise ChangeRefused(f"{change}: goes back to what #{kept} was made of; {how}")


def _same(change: Change, memory: Memory) -> Iterator[Tried]:
    """Where the same change was tried before, the newest first."""
    wanted = _hash(change, memory)
    for one in reversed(memory.tried):
        if one.change.field == change.field and _hash(one.change, memory) == wanted:
            yield one


def _takes_back(change: Change, memory: Memory) -> int | None:
    """The experiment that is branched from, where a change leads back to the recipe that it was made of."""
    last = next((one for one in reversed(memory.tried) if one.experiment == memory.parent), None)
    back = last and last.parent is not None and _hash(invert(last.change), memory) == _hash(change, memory)
    return last.experiment if last and back else None


def _hash(change: Change, memory: Memory) -> str:
    """What a change comes to; an old one may no longer come to anything, and is then the same as no other."""
    try:
        return memory.space.canonical(change, memory.recipe)
    except ChangeRefused:
        return f"none: {change}"


def _is_a_persons(proposal: Proposal, memory: Memory) -> bool:
    """Whether it tests what a person believes, which outranks what a zoom-out named."""
    return any(one.number == proposal.belief and one.source == PERSON for one in memory.hypotheses)
