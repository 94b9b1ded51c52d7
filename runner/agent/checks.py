"""What every proposal is checked for beyond the space: vetoes, what was tried before, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.records import PERSON, Change, Outcome, Proposal
from runner.change import ChangeRefused, invert

if TYPE_CHECKING:
    from runner.agent.memory import Memory

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


def vetoed(change: Change, experiment: int, note: str) -> str:
    """Why a change is refused that a person took back in another experiment."""
    return f"{change}: a person vetoed this change as #{experiment}{f': {note}' if note else ''}"


def _check_category(proposal: Proposal, change: Change, memory: Memory) -> None:
    is_of = memory.space.category_of(change)
    if is_of and is_of != proposal.category:
        raise ChangeRefused(f"category: a change of {change.field} is of {is_of}, not of {proposal.category}")


def _check_vetoes(change: Change, memory: Memory) -> None:
    for one in memory.tried:
        if one.vetoed and memory.space.contains(change, one.change, memory.recipe):
            raise ChangeRefused(vetoed(change, one.experiment, one.note))


def _check_news(proposal: Proposal, change: Change, memory: Memory) -> None:
    """Refuse what was tried before, unless something is different now, and what goes back to the champion's parent."""
    how = "say in `differs` what is different now, or propose another change"
    # By what it leads to, and by its field and value alone, as older versions hashed a change of the mix.
    if memory.hashes & {memory.space.canonical(change, memory.recipe), memory.space.canonical(change)}:
        before = memory.by_hash.get(memory.hash(change), ())
        if not before:
            raise ChangeRefused(f"{change}: was tried before, or a person skipped it")
        for one in before:
            if one.outcome is None and not one.vetoed:
                raise ChangeRefused(f"{change}: is under way as #{one.experiment}")
        if not proposal.differs:
            raise ChangeRefused(f"{change}: was tried before as #{before[0].experiment}, {before[0].outcome}; {how}")
        for one in before:
            if one.parent == memory.parent and one.outcome in _DECIDED:
                same = f"#{one.experiment} made the same change to the same recipe: {one.outcome}"
                raise ChangeRefused(f"{change}: nothing is different, {same}")
    elif not proposal.differs and (kept := _takes_back(change, memory)):
        raise ChangeRefused(f"{change}: goes back to what #{kept} was made of; {how}")


def _takes_back(change: Change, memory: Memory) -> int | None:
    """The experiment that is branched from, where a change leads back to the recipe that it was made of."""
    last = next((one for one in reversed(memory.tried) if one.experiment == memory.parent), None)
    back = last and last.parent is not None and memory.hash(invert(last.change)) == memory.hash(change)
    return last.experiment if last and back else None


def _is_a_persons(proposal: Proposal, memory: Memory) -> bool:
    """Whether it tests what a person believes, which outranks what a zoom-out named."""
    return any(one.number == proposal.belief and one.source == PERSON for one in memory.hypotheses)
