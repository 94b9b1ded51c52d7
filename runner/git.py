"""The night in git: each kept change is a commit on the run's own branch, made beside the loop and beside the checkout.

Nothing of the person's is touched: no file, no index, no branch but the run's own. What the branch has is asked of git
each time, so a kill at any moment loses nothing and repeats nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from checkpoints import writes
from checkpoints.artifacts import write_json
from checkpoints.records import BASELINE, Level, Row, State, Step, model_name
from checkpoints.store import Store
from lanes.script.branch import Branch, free_name, tree_with
from lanes.script.git import GitError
from lanes.script.repository import Repository, repository
from runner.evidence import FOR_PEOPLE, FOR_PROGRAMS, RECIPE, body, files, recipe, subject
from runner.results import Beside, beside

LOOK_SECONDS = 5.0
"""How often it is asked whether something was kept or taken back: nothing waits for a commit."""

FOLDER = "autoresearch"
"""Folder of the branch with what was kept, beside the program."""

NOTE = "branch.json"
"""File of the run that says which branch it has; written before there is one."""

_KEEP, _VETO = "keep", "veto"


class Commits:
    """Makes the commits of one run; where its folder is in no repository, none, without a word."""

    def __init__(self, store: Store, folder: Path) -> None:
        """Begin nothing yet.

        Args:
            store: Of the run.
            folder: The person's, with the program.
        """
        self._store, self._folder = store, folder
        self._repository: Repository | None = None
        self._seen: tuple[int, ...] = ()
        self._said = ""
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Go on until cancelled, or until it is clear that there is no repository."""
        while True:
            if not await self.catch_up():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def catch_up(self) -> bool:
        """Make the commits that lack; what goes wrong is told once, and tried again the next time.

        Returns:
            Whether there is a repository at all.
        """
        async with self._turn:
            if self._repository is None:
                try:
                    self._repository = await repository(self._folder)
                except GitError:
                    return False
            now = self._mark()
            if now != self._seen and now[0]:
                await self._commit_or_tell(self._repository, now)
            return True

    async def _commit_or_tell(self, found: Repository, now: tuple[int, ...]) -> None:
        try:
            await self._commit_all(found, await self._branch(found))
            self._seen, self._said = now, ""
        except (GitError, OSError) as error:
            text = f"what was kept is not committed yet: {error}"
            if text != self._said:
                await self._store.do(writes.event, Level.WARNING, "git", text)
            self._said = text

    async def _branch(self, found: Repository) -> Branch:
        note = self._store.folder / NOTE
        known = _read(note)
        if not known:
            run = self._store.read.run()
            known = {"branch": await free_name(found.git, run.name if run else ""), "base": found.head}
            await asyncio.to_thread(write_json, note, known)
        branch = Branch(found.git, known["branch"], known["base"])
        await branch.ensure()
        return branch

    async def _commit_all(self, found: Repository, branch: Branch) -> None:
        """First what was taken back, then what was kept, the older ones first."""
        done = list(await branch.done())
        last = _last(done)
        read = self._store.read
        rows = {row.experiment.number: row for row in read.rows(recipes=False)}
        kept = [number for number, row in rows.items() if row.experiment.state is State.KEPT]
        back = [number for number, what in sorted(last.items()) if what == _KEEP and number not in kept]
        lacking = [number for number in sorted(kept, key=lambda one: _decided(rows[one])) if last.get(number) != _KEEP]
        if not back and not lacking:
            return
        if place := await found.checked_out(branch.name):
            raise GitError(f"{branch.name} is checked out at {place}: switch to another branch there")
        table = beside(read)
        for number in back:
            await self._take_back(found, branch, number, done)
        for number in lacking:
            await self._keep(found, branch, rows[number], table.get(number, Beside()), done)

    async def _keep(self, found: Repository, branch: Branch, row: Row, besides: Beside, done: list[str]) -> None:
        number = row.experiment.number
        whole = Row(
            self._store.read.experiment(number), row.verdict, row.final_loss, row.val_pref_acc, row.train_seconds
        )
        measured = [one for one in self._store.read.measurements(number) if one.experiment == number]
        new = {f"{model_name(number)}/{name}": text for name, text in files(whole, besides, measured).items()}
        message = f"{subject(whole)}\n\n{body(whole)}"
        await self._append(found, branch, new | {RECIPE: recipe(whole)}, message, _key(_KEEP, number, done), number)

    async def _take_back(self, found: Repository, branch: Branch, number: int, done: list[str]) -> None:
        reign = self._store.read.champion()
        champion = reign.experiment if reign else BASELINE
        names = (RECIPE, FOR_PEOPLE, FOR_PROGRAMS)
        gone: dict[str, bytes | None] = {f"{model_name(number)}/{name}": None for name in names}
        now = Row(self._store.read.experiment(champion), None)
        message = f"{model_name(number)} is taken back: {model_name(champion)} is champion\n\n{self._why(number)}"
        await self._append(found, branch, gone | {RECIPE: recipe(now)}, message, _key(_VETO, number, done), number)

    async def _append(
        self, found: Repository, branch: Branch, new: Mapping[str, bytes | None], message: str, key: str, number: int
    ) -> None:
        tip = await branch.tip()
        tree = await tree_with(found.git, tip, {f"{found.inside}{FOLDER}/{name}": text for name, text in new.items()})
        commit = await branch.append(tree, message, key, after=tip)
        text = f"{model_name(number)}: {key.split()[0]} is commit {commit[:7]} on {branch.name}"
        await self._store.do(writes.event, Level.INFO, "git", text, number)

    def _why(self, number: int) -> str:
        """Why a person has taken a keep back."""
        steps = self._store.read.interventions()
        reasons = [step.reason for step in steps if step.step is Step.VETO and step.experiment == number]
        return reasons[-1] if reasons and reasons[-1] else "a person took it back"

    def _mark(self) -> tuple[int, ...]:
        """What a new look would find."""
        read = self._store.read
        return read.count(State.KEPT), read.count(State.VETOED), read.last_intervention()


def _key(what: str, number: int, done: list[str]) -> str:
    """What a commit is made for; a second one for the same experiment, after a veto was undone, has a number."""
    first = f"{what} {model_name(number)}"
    before = sum(key == first or key.startswith(f"{first} ") for key in done)
    return f"{first} {before + 1}" if before else first


def _last(done: list[str]) -> dict[int, str]:
    """By experiment what was done last; ``done`` begins with the newest."""
    found: dict[int, str] = {}
    for key in done:
        match key.split():
            case [("keep" | "veto") as what, model, *_] if model.startswith("exp-") and model[4:].isdecimal():
                found.setdefault(int(model[4:]), what)
            case _:
                pass
    return found


def _decided(row: Row) -> tuple[float, int]:
    verdict = row.verdict
    return (verdict.decided_at if verdict else row.experiment.proposed_at), row.experiment.number


def _read(note: Path) -> dict[str, str]:
    try:
        found: Any = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast(dict[str, str], found) if isinstance(found, dict) and {"branch", "base"} <= found.keys() else {}  # pyright: ignore[reportUnknownMemberType]
