"""Who votes: pairs of answers go in blind, votes come out one at a time."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from checkpoints.records import Choice, Vote
from lanes import simulated_voters


@dataclass(frozen=True, slots=True)
class Battle:
    """Two answers to one prompt, as they are shown."""

    experiment: int
    prompt: str
    """Id of the prompt."""

    question: str
    """What the user said, as voters read it."""

    model_a: str
    model_b: str
    answer_a: str
    answer_b: str
    first_voter: int
    """Place of its first voter among the experiment's voters: no two battles share one."""

    wanted: int
    """Votes that are asked for, those that came already included."""

    voted: AbstractSet[str]
    """Voters that have voted already, wherever; others may come while the battle is open."""

    @property
    def id(self) -> str:
        """Name under which the battle is shown; it does not tell the models."""
        return hashlib.sha256(self.key("").encode()).hexdigest()[:16]

    def key(self, voter: str) -> str:
        """Idempotency key of a voter's vote, whatever the display order."""
        pair = "~".join(sorted((self.model_a, self.model_b)))
        return f"{self.experiment}:{pair}:{self.prompt}:{voter}"

    def vote(self, voter: str, choice: Choice, simulated: bool) -> Vote:
        """A voter's vote on it."""
        return Vote(
            self.experiment, self.key(voter), voter, self.prompt, self.model_a, self.model_b, choice, simulated,
            time.time(),
        )  # fmt: skip


class VoteSource(Protocol):
    """Where votes come from."""

    simulated: bool
    """Whether no people vote."""

    def cast(self, battles: Sequence[Battle], last: bool) -> AsyncGenerator[Vote | None]:
        """Show battles, and give each vote as it comes, until it is time for further battles.

        Who waits for people gives None after each look for their votes.

        Args:
            battles: Of one experiment.
            last: No further battles follow: go on until all wanted votes are there.
        """
        ...


class SimulatedVoters:
    """Voters that follow the rules of ``lanes.simulated_voters``; each votes once in an experiment."""

    simulated = True

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._experiment = -1
        self._walk: Iterator[str] = iter(())
        self._names: list[str] = []

    async def cast(self, battles: Sequence[Battle], last: bool) -> AsyncGenerator[Vote | None]:
        """See ``VoteSource.cast``; they answer at once."""
        for battle in battles:
            for place in range(battle.first_voter, battle.first_voter + battle.wanted):
                voter = self._name(battle.experiment, place)
                if voter in battle.voted or len(battle.voted) >= battle.wanted:
                    continue
                choice = simulated_voters.cast(self._seed, voter, battle.question, battle.answer_a, battle.answer_b)
                await asyncio.sleep(0)
                yield battle.vote(voter, choice, simulated=True)

    def _name(self, experiment: int, place: int) -> str:
        if experiment != self._experiment:
            # Another walk for each experiment: fresh voters, with the tastes that the run's seed gives them.
            self._walk, self._names = simulated_voters.voters(self._seed * 1_000_003 + experiment), []
            self._experiment = experiment
        if place >= len(self._names):
            self._names += itertools.islice(self._walk, place + 1 - len(self._names))
        return self._names[place]
