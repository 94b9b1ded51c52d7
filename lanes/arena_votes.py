"""From ballots to votes: what the arena's ledger has taken goes into the run's store, in order and each once."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import JUDGE, REFERENCE, Answer, Json, State, Vote, model_name
from checkpoints.store import Store
from checkpoints.text import clean
from lanes.arena.ballots import Ballot, Pair, Source
from lanes.arena.flags import doubts
from lanes.arena_desk import ArenaDesk
from lanes.prompts import display
from lanes.vote_limit import most_in_question

if TYPE_CHECKING:
    from sqlite_utils import Database

    from lanes.arena.ledger import Ledger

Limits: TypeAlias = Mapping[tuple[int, int], int | None]
"""Votes on one pair of answers that count now, by experiment and promotion test; None for any number."""

CURSOR = "arena cursor"
"""Insight of the run's store that says up to which ballot the ledger was read, and which ledger that was."""

MOST = 500
"""Ballots that are read, and votes that are written, at a time: few enough for the event loop to breathe between."""

SAMPLES = 200
"""Battles of a product whose prompt and answers are kept in the run's store, an experiment; the ledger keeps all."""

LIVE = "live:"
"""How the name of a prompt begins that came from a product: each battle is a prompt of its own, as its answers are."""

PERSON = "person:"
"""What the names of voters at a dashboard begin with; nobody else is called so."""


class Intake:
    """Reads the ledger into the store; one for a run."""

    def __init__(self, store: Store, arena: ArenaDesk, complain: Callable[[str], None]) -> None:
        """Read nothing yet.

        Args:
            store: Of the run.
            arena: Has the ledger.
            complain: Called with one line about each kind of ballot that is no vote, and about each doubtful voter.
        """
        self._store, self._arena, self._complain = store, arena, complain
        self._after: int | None = None
        self._ledger = ""
        self._turn = asyncio.Lock()
        self._full: set[int] = set()
        """Experiments that have all the samples that are kept."""

        self.live = False
        """Whether a product has had votes on battles; more are to be expected."""

    async def take(self) -> int:
        """Have everything that is in the ledger in the store; returns how many ballots were new.

        Raises:
            LedgerError, sqlite3.Error: The ledger cannot be read now.
        """
        taken = 0
        async with self._turn:
            while ballots := await self._next():
                await self._write(ballots)
                taken += len(ballots)
                await self._doubt(ballots)
        return taken

    async def _next(self) -> list[Ballot]:
        if self._after is None:
            self._ledger = await self._arena.ask(_name)
            known = self._store.read.insight(CURSOR) or {}
            seq, same = int(known.get("seq", 0)), known.get("ledger", self._ledger) == self._ledger
            # A ledger that is not the one that was read begins anew: what was counted is not counted again.
            self._after = seq if same and seq <= await self._arena.ask(lambda ledger: ledger.last()) else 0
        after = self._after
        return await self._arena.ask(lambda ledger: ledger.ballots(after, MOST))

    async def _write(self, ballots: Sequence[Ballot]) -> None:
        experiments = self._store.read.count()
        votes, skipped = votes_of(ballots, experiments)
        for line in skipped:
            self._complain(line)
        self.live = self.live or any(ballot.source is Source.PRODUCT for ballot in ballots)
        live = {
            ballot.battle
            for ballot in ballots
            if ballot.source is Source.PRODUCT and ballot.battle and ballot.experiment not in self._full
        }
        shown = await self._arena.ask(lambda ledger: [pair for name in live if (pair := ledger.pair(name))])
        limits = limits_of(self._store.read, votes)
        cursor = {"seq": ballots[-1].seq, "ledger": self._ledger}
        self._full |= await self._store.do(_write, votes, limits, shown, cursor)
        self._after = ballots[-1].seq

    async def _doubt(self, ballots: Sequence[Ballot]) -> None:
        """Say of which people the votes look doubtful; a person decides what becomes of them."""
        people = {ballot.voter for ballot in ballots if ballot.source in (Source.HELDOUT, Source.ATTENTION)}
        if people:
            figures = await self._arena.ask(lambda ledger: ledger.voter_figures(people))
            for sentence in doubts(figures).values():
                self._complain(sentence)


def votes_of(ballots: Iterable[Ballot], experiments: int) -> tuple[list[Vote], list[str]]:
    """The votes that ballots say, and a line for each kind of ballot that says none.

    Args:
        ballots: As they came.
        experiments: Of the run; a ballot that names others belongs to another run.
    """
    known = {REFERENCE, *map(model_name, range(experiments))}
    votes: list[Vote] = []
    skipped: dict[str, None] = {}
    for ballot in ballots:
        if ballot.source is Source.ATTENTION:
            continue
        number, names = _asked_by(ballot), {ballot.model_a, ballot.model_b}
        if number is None or not names <= known or len(names) < 2 or not 0 <= number < experiments:
            skipped[f"a vote on {ballot.model_a} and {ballot.model_b} is not counted: they are not of this run"] = None
            continue
        prompt = ballot.prompt if ballot.source is Source.HELDOUT else f"{LIVE}{ballot.battle or ballot.key}"
        votes.append(
            Vote(
                number, f"arena:{ballot.key}", voter_name(ballot.voter), prompt, ballot.model_a, ballot.model_b,
                ballot.choice, ballot.simulated, ballot.at, ballot.test,
            )
        )  # fmt: skip
    return votes, list(skipped)


def open_questions(read: Reader) -> Mapping[frozenset[str], tuple[int, int]]:
    """The questions that votes are wanted on, as (experiment, promotion test), by the names of their two models."""
    found = {
        frozenset((each.model, REFERENCE if each.opponent is None else model_name(each.opponent))): (each.number, 0)
        for each in read.experiments(State.EVALUATING)
    }
    if test := read.open_test():
        opponent = REFERENCE if test.opponent is None else model_name(test.opponent)
        found[frozenset((model_name(test.experiment), opponent))] = (test.experiment, test.number)
    return found


def newest(model_a: str, model_b: str) -> int | None:
    """The experiment that a vote on two models tells of where no open question asked for it: the later one's."""
    numbers = [int(name[4:]) for name in (model_a, model_b) if name.startswith("exp-") and name[4:].isdigit()]
    return max(numbers, default=None)


def voter_name(name: str) -> str:
    """A voter's name as a product says it, which nobody else has: not a judge, nor a person at a dashboard."""
    return f"reported {name}" if name.startswith((JUDGE, PERSON)) else name


def limits_of(read: Reader, votes: Iterable[Vote]) -> Limits:
    """How many votes on a pair count, for each question that is voted on."""
    return {
        (number, test): most_in_question(read, number, test)
        for number, test in {(vote.experiment, vote.test) for vote in votes}
    }


def count_votes(db: Database, votes: Sequence[Vote], limits: Limits) -> int:
    """Count votes under the limits of their questions; returns how many were new."""
    counted, start = 0, 0
    while start < len(votes):
        question = (votes[start].experiment, votes[start].test)
        end = start + 1
        while end < len(votes) and (votes[end].experiment, votes[end].test) == question:
            end += 1
        counted += writes.add_votes(db, votes[start:end], limits[question])
        start = end
    return counted


def name_of(secret: bytes) -> str:
    """What tells the ledger that has a secret from any other."""
    return hmac.digest(secret, b"name", "sha256").hex()[:16]


def _name(ledger: Ledger) -> str:
    return name_of(ledger.secret)


def _write(db: Database, votes: Sequence[Vote], limits: Limits, shown: Sequence[Pair], cursor: Json) -> set[int]:
    """Votes, samples of what they were on, and the cursor: all or nothing. Returns who has enough samples."""
    count_votes(db, votes, limits)
    room: dict[int, int] = {}
    for pair in shown:
        left = room.setdefault(pair.experiment, SAMPLES - _samples(db, pair.experiment))
        if left > 0:
            room[pair.experiment] = left - 1
            prompt = f"{LIVE}{pair.id}"
            writes.add_prompts(db, [(prompt, clean(display(pair.messages)))])
            said = ((pair.model_a, pair.answer_a), (pair.model_b, pair.answer_b))
            writes.add_answers(db, [Answer(pair.experiment, prompt, model, clean(text)) for model, text in said])
    writes.set_insight(db, CURSOR, cursor)
    return {experiment for experiment, left in room.items() if left <= 0}


def _samples(db: Database, experiment: int) -> int:
    found = db.conn.execute(
        "SELECT count(DISTINCT prompt) FROM answers WHERE experiment = ? AND prompt > ? AND prompt < ?",
        [experiment, LIVE, LIVE[:-1] + chr(ord(LIVE[-1]) + 1)],
    )
    return found.fetchone()[0]


def _asked_by(ballot: Ballot) -> int | None:
    return ballot.experiment if ballot.experiment is not None else newest(ballot.model_a, ballot.model_b)
