"""The arena's ledger against the run's store: whole, and what was taken in is a vote there, and the other way round."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from checkpoints import copies, schema
from checkpoints.querying import connected
from checkpoints.reader import Reader
from checkpoints.records import JUDGE, Lane, Vote
from checkpoints.trouble import is_damage, said
from lanes.arena.ballots import Ballot
from lanes.arena.rows import BALLOT
from lanes.arena.rows import ballot as ballot_of
from lanes.arena.schema import LEDGER
from lanes.arena_desk import ARENA
from lanes.arena_votes import CURSOR, name_of, votes_of
from lanes.vote_limit import votes_per_prompt
from runner.findings import Finding

MOST = 5
"""Votes that are listed one by one."""

KEY = "arena:"
"""How the keys of votes begin that came from the arena."""


class _Ledger(NamedTuple):
    name: str
    ballots: list[Ballot]


class _Pair(NamedTuple):
    experiment: int
    test: int
    prompt: str
    models: frozenset[str]


def ledger_findings(run: Path, read: Reader) -> Iterator[Finding]:
    """The ledger where there is one; the store is read first, as a vote is in the ledger before it is there."""
    path = run / ARENA / LEDGER
    if not path.exists():
        return
    with read.at_one_moment():
        votes, cursor, experiments = read.votes(), read.insight(CURSOR) or {}, read.count()
    try:
        found = _read(path)
    except (sqlite3.Error, UnicodeDecodeError, schema.Damaged) as error:
        yield Finding("ledger", "missing", f"{path}: {_in_words(error)}", way_back(run))
        return
    taken = int(cursor.get("seq", 0)) if cursor.get("ledger") == found.name else 0
    lost = list(_lost(found, votes, taken, experiments, _limits(read)))
    for line in lost[:MOST]:
        yield Finding("ledger", "missing", line, way_back(run))
    if len(lost) > MOST:
        yield Finding("ledger", "missing", f"{len(lost) - MOST} votes more that the store has not")
    known = {f"{KEY}{ballot.key}" for ballot in found.ballots}
    if strange := sum(vote.key.startswith(KEY) and vote.key not in known for vote in votes):
        what = f"{strange} votes of the store are not in {path}: it took another's place"
        yield Finding("ledger", "warn", f"{what}; they count all the same")
    waiting = sum(ballot.seq > taken for ballot in found.ballots)
    more = f"; {waiting} of them are taken in when the run goes on" if waiting else ""
    yield Finding("ledger", "ok", f"{path} is whole, with {len(found.ballots)} ballots{more}")


def way_back(run: Path) -> str:
    """Which copy of the ledger can be put back, and how; a vote that is in the store stays there."""
    ledger = run / ARENA / LEDGER
    for copy in copies.copies(run, LEDGER):
        try:
            has = len(_read(copy).ballots)
        except (sqlite3.Error, UnicodeDecodeError, schema.Damaged):
            continue
        command = f"mv {ledger} {ledger}.damaged; rm -f {ledger}-wal {ledger}-shm; cp {copy} {ledger}"
        return f"its last good copy has {has} ballots; put it back with: {command}"
    return "there is no copy of it"


def _read(path: Path) -> _Ledger:
    """All of a ledger, after a look at its pages."""
    with closing(connected(path)) as connection:
        schema.check_pages(connection)
        secret: bytes = connection.execute("SELECT bytes FROM secret").fetchall()[0][0]
        rows = connection.execute(f"SELECT {BALLOT}, seq FROM ballots ORDER BY seq").fetchall()
    return _Ledger(name_of(secret), [ballot_of(row) for row in rows])


def _lost(
    ledger: _Ledger, votes: list[Vote], taken: int, experiments: int, limits: Mapping[tuple[int, int], int]
) -> Iterator[str]:
    """What was taken in and is no vote in the store, though nothing there is counted instead of it."""
    counted = {vote.key for vote in votes}
    by_voter = {(vote.voter, _pair(vote)) for vote in votes}
    on_pair = Counter(_pair(vote) for vote in votes if not vote.voter.startswith(JUDGE))
    handed_in, _ = votes_of((ballot for ballot in ledger.ballots if ballot.seq <= taken), experiments)
    for vote in handed_in:
        if vote.key in counted or (vote.voter, _pair(vote)) in by_voter:
            continue
        if on_pair[_pair(vote)] < limits.get((vote.experiment, vote.test), 1):  # else its pair had enough
            yield f"a vote of {vote.voter} on {vote.prompt} was taken in from the ledger, and the store has it not"


def _limits(read: Reader) -> dict[tuple[int, int], int]:
    """Fewest votes on a pair that were ever enough, by experiment and promotion test."""
    found: dict[tuple[int, int], int] = {}
    orders: Iterable[tuple[int, int, int]] = [
        *((each.experiment, 0, votes_per_prompt(each.order)) for each in read.stages() if each.lane is Lane.EVALUATE),
        *((each.experiment, each.number, votes_per_prompt(each.order)) for each in read.promotion_tests()),
    ]
    for experiment, test, most in orders:
        found[experiment, test] = min(most, found.get((experiment, test), most))
    return found


def _pair(vote: Vote) -> _Pair:
    return _Pair(vote.experiment, vote.test, vote.prompt, frozenset((vote.model_a, vote.model_b)))


def _in_words(error: Exception) -> str:
    if isinstance(error, schema.Damaged):
        return str(error).partition(";")[0].replace("the store is", "it is")
    return f"it is damaged ({said(error)})" if is_damage(error) else f"it cannot be read ({said(error)})"
