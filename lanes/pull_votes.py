"""Pulled votes go into the run's store: page by page, each once, through a source that is down for a while."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import REFERENCE, Vote, model_name
from checkpoints.store import Store
from lanes.arena_votes import LIVE, newest, open_questions, voter_name
from lanes.pull import Feed, Page, Pull, SourceDown, feed_of
from lanes.vote_rows import NoVote, Reported, read_row

if TYPE_CHECKING:
    from sqlite_utils import Database

CURSOR = "pull cursor"
"""Insight of the run's store that says up to where a source was read."""

FIRST_SECONDS, MOST_SECONDS = 1.0, 60.0
"""Until a source that is down is asked again: at first, and at most."""

LOOK_SECONDS = 1.0
"""How often a source that had nothing new is asked."""


class Puller:
    """Asks one source for what is new; which one may change between two calls."""

    def __init__(self, store: Store, complain: Callable[[str], None]) -> None:
        """Ask nothing yet.

        Args:
            store: Of the run.
            complain: Called with a line for a person, as often as it comes; to be shown once.
        """
        self._store, self._complain = store, complain
        self._pull: Pull | None = None
        self._feed: Feed | None = None
        self._cursor = ""
        self._said: set[str] = set()
        self._wait, self._next_at = FIRST_SECONDS, 0.0

    async def take(self, pull: Pull) -> int:
        """Have what is new in the store; returns how many votes came. Does nothing while a source is given time."""
        if pull != self._pull:
            known = self._store.read.insight(CURSOR) or {}
            self._cursor = str(known.get("cursor", "")) if known.get("source") == pull.name else ""
            self._pull, self._feed, self._wait, self._next_at = pull, feed_of(pull), FIRST_SECONDS, 0.0
        if self._feed is None or time.monotonic() < self._next_at:
            return 0
        try:
            page = await self._feed.read(self._cursor)
        except SourceDown as down:
            self._complain(f"no votes for now: {down}")
            self._next_at = time.monotonic() + self._wait
            self._wait = min(MOST_SECONDS, 2 * self._wait)
            return 0
        self._wait = FIRST_SECONDS
        self._next_at = 0.0 if page.rows else time.monotonic() + LOOK_SECONDS
        return await self._count(pull, page)

    async def _count(self, pull: Pull, page: Page) -> int:
        votes, faults = votes_of_page(page, self._store.read.count(), open_questions(self._store.read))
        for fault, where in faults.items():
            if fault not in self._said:
                self._said.add(fault)
                self._complain(f"rows of {pull.name} are passed over: {fault}; the first is {where}")
        if page.rows:
            await self._store.do(_write, votes, {"source": pull.name, "cursor": page.cursor})
        self._cursor = page.cursor
        return len(votes)


def votes_of_page(
    page: Page, experiments: int, asked: Mapping[frozenset[str], tuple[int, int]]
) -> tuple[list[Vote], dict[str, str]]:
    """The votes that rows say, and where the first of each kind of row is that says none.

    Args:
        page: As it came.
        experiments: Of the run.
        asked: What ``open_questions`` says.
    """
    known = {REFERENCE, *map(model_name, range(experiments))}
    votes: list[Vote] = []
    faults: dict[str, str] = {}
    for where, row in page.rows:
        try:
            said = read_row(row)
            if not {said.model_a, said.model_b} <= known:
                raise NoVote("a model is not of this run")
            votes.append(_vote(said, asked))
        except NoVote as fault:
            faults.setdefault(str(fault), where)
    return votes, faults


def _vote(said: Reported, asked: Mapping[frozenset[str], tuple[int, int]]) -> Vote:
    pair = frozenset((said.model_a, said.model_b))
    number, test = asked.get(pair) or (newest(said.model_a, said.model_b) or 0, 0)
    # Answers that the product showed by itself are not known here: each vote is on a pair of its own.
    prompt, voter = f"{LIVE}{said.prompt or said.key}", voter_name(said.voter)
    # By a clock that is ahead the voter's session would be open until that time has come.
    now = time.time()
    at = now if said.at is None else min(said.at, now)
    return Vote(number, f"pull:{said.key}", voter, prompt, said.model_a, said.model_b, said.choice, False, at, test)


def _write(db: Database, votes: list[Vote], cursor: dict[str, str]) -> None:
    writes.add_votes(db, votes)
    writes.set_insight(db, CURSOR, cursor)
