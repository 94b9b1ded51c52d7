"""People's votes by way of files: battles are shown in one, votes are read from the other."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from checkpoints.records import Choice, Json, Vote
from checkpoints.text import clean
from lanes.arena_votes import voter_name
from lanes.lines import Lines
from lanes.votes import Battle

BATTLES = "battles.jsonl"
"""What people are shown, in the run's folder: ``{"battle", "prompt", "answer_a", "answer_b"}`` a line, blind."""

VOTES = "votes.jsonl"
"""What they answer, in the run's folder: ``{"battle", "voter", "choice": "a" | "tie" | "b"}`` a line."""

ENOUGH = (
    f"{VOTES}: some battles have more votes than evaluate.votes_per_prompt; the first ones count, as votes on one pair "
    "of answers are not independent"
)
"""Said once in a run."""

LOOK_SECONDS = 0.3
"""How often the file of votes is looked at."""

NAME_CHARACTERS = 64
"""Longest name of a voter."""


class FileVoters:
    """People whose votes arrive in a file, by whatever shows them the battles."""

    simulated = False

    def __init__(self, folder: Path, complain: Callable[[str], None]) -> None:
        """Exchange files in a folder.

        Args:
            folder: Of the run.
            complain: Called with one line about each line of the votes that is no vote.
        """
        self._battles = folder / BATTLES
        self._votes = Lines(folder / VOTES)
        self._complain = complain
        self._shown: set[str] | None = None
        self._open: dict[tuple[int, int], dict[str, Battle]] = {}
        """Battles in hand, by their ids, of each question that is open: an experiment and a promotion test or 0."""

        self._waiting: dict[str, list[tuple[str, Choice]]] = {}
        """Votes that were read, by battle; those on battles from before a kill wait until these are in hand again."""

        self._given: dict[str, set[str]] = {}
        """Whose votes were given out, by battle."""

    async def cast(self, battles: Sequence[Battle], last: bool) -> AsyncGenerator[Vote | None]:
        """See ``VoteSource.cast``; when half of these have a vote others are due, as some are never opened."""
        self._show(battles)
        questions = {(battle.experiment, battle.test) for battle in battles}
        while True:
            for number, line in self._votes.new():
                self._read(number, line)
            for vote in [vote for question in questions for vote in self._take(question)]:
                yield vote
            yield None
            if self._enough(battles, last):
                return
            await asyncio.sleep(LOOK_SECONDS)

    def forget(self, experiment: int, test: int) -> None:
        """A question has ended, or is paused: votes on its battles wait until these are in hand again."""
        for name in self._open.pop((experiment, test), {}):
            self._given.pop(name, None)

    def _show(self, battles: Sequence[Battle]) -> None:
        if self._shown is None:
            self._shown = {str(row["battle"]) for row in _objects(self._battles)}
            _end_last_line(self._battles)
        new = [battle for battle in battles if battle.id not in self._shown]
        with self._battles.open("a", encoding="utf-8") as file:
            for battle in new:
                shown = {
                    "battle": battle.id, "prompt": battle.question, "answer_a": battle.answer_a,
                    "answer_b": battle.answer_b,
                }  # fmt: skip
                file.write(json.dumps(shown, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._shown |= {battle.id for battle in new}
        for battle in battles:
            self._open.setdefault((battle.experiment, battle.test), {})[battle.id] = battle

    def _enough(self, battles: Sequence[Battle], last: bool) -> bool:
        if last:
            return all(len(self._voters(battle)) >= battle.wanted for battle in battles)
        return sum(not self._voters(battle) for battle in battles) <= len(battles) // 2

    def _voters(self, battle: Battle) -> set[str]:
        """Who has voted on a battle, by the file or past it."""
        return self._given.get(battle.id, set()).union(battle.voted)

    def _read(self, number: int, line: bytes) -> None:
        try:
            battle, voter, choice = _parse(line)
        except ValueError as error:
            self._complain(f"{VOTES} line {number} is no vote: {error}")
            return
        if battle in (self._shown or ()):
            self._waiting.setdefault(battle, []).append((voter, choice))
        else:
            self._complain(f"{VOTES} line {number} is no vote: there is no battle {battle!r}")

    def _take(self, question: tuple[int, int]) -> Iterator[Vote]:
        """Votes on the battles of a question, each voter's first on each."""
        battles = self._open.get(question, {})
        for name in self._waiting.keys() & battles.keys():
            battle = battles[name]
            for voter, choice in self._waiting.pop(name):
                voters = self._voters(battle)
                if voter in voters:
                    continue
                if len(voters) >= battle.wanted:
                    self._complain(ENOUGH)
                    continue
                self._given.setdefault(name, set()).add(voter)
                yield battle.vote(voter, choice, simulated=False)


def _parse(line: bytes) -> tuple[str, str, Choice]:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    row = cast(Json, found) if isinstance(found, dict) else {}
    battle, voter, choice = row.get("battle"), row.get("voter"), row.get("choice")
    if not isinstance(battle, str) or not isinstance(voter, str) or not isinstance(choice, str):
        raise ValueError('it needs "battle", "voter" and "choice" as text')
    name = " ".join(clean(voter).split())
    if not name or len(name) > NAME_CHARACTERS:
        raise ValueError(f"the voter's name needs 1 to {NAME_CHARACTERS} characters")
    if choice not in list(Choice):
        raise ValueError(f"choice is {clean(choice)[:20]!r}: a, tie or b")
    return clean(battle)[:64], voter_name(name), Choice(choice)


def _objects(path: Path) -> list[Json]:
    """The rows of our own file that can be read; a line that a kill cut short is written again."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    rows: list[Json] = []
    for line in lines:
        try:
            found: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "battle" in found:
            rows.append(cast(Json, found))
    return rows


def _end_last_line(path: Path) -> None:
    """Put an end to a line that a kill cut short, so that the next one begins on its own."""
    if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
