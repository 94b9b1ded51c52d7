"""The words of judging: a pair of answers, what people say of it, what the judge read in it."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints.records import JUDGE, Choice


def voter_of(model: str) -> str:
    """Name under which a judge votes: one voter, however many pairs it judges."""
    return f"{JUDGE}{model}"


def is_judge(voter: str) -> bool:
    """Whether a voter is a judge."""
    return voter.startswith(JUDGE)


def turned(choice: Choice) -> Choice:
    """The same choice with the two answers in the other order."""
    return {Choice.A: Choice.B, Choice.TIE: Choice.TIE, Choice.B: Choice.A}[choice]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt."""

    prompt: str
    """What the user said, as voters read it."""

    answer_a: str
    answer_b: str

    def other_way_round(self) -> Pair:
        """The same pair in the other display order."""
        return Pair(self.prompt, self.answer_b, self.answer_a)


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of a pair."""

    pair: Pair
    choice: Choice


@dataclass(frozen=True, slots=True)
class Reading:
    """What the judge said of a pair in both display orders, both in the pair's own terms."""

    first: Choice | None
    """With answer A shown first; None where nothing could be made of its reply."""

    second: Choice | None
    """With answer B shown first."""

    note: str = ""
    """Why one of them is missing, for a person; empty where none is."""

    @property
    def choice(self) -> Choice | None:
        """Its judgement: about equal where the two orders disagree, None (no vote) where one is missing."""
        if self.first is None or self.second is None:
            return None
        return self.first if self.first is self.second else Choice.TIE
