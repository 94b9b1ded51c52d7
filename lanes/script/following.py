"""Has git and ``results.tsv`` follow the store: a line for what has ended, a commit for each reign."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import BASELINE, Championship, Lane, Level, State, model_name
from checkpoints.store import Store
from lanes.analyze.noise import fresh_groups, pooled_noise
from lanes.script.evidence import value_of
from lanes.script.git import GitError
from lanes.script.ground import Ground
from lanes.script.lane_settings import ScriptLaneSettings
from lanes.script.results_tsv import FILE, Line, append
from lanes.script.worktree import Worktree

STATUS = {
    State.KEPT: "keep",
    State.DISCARDED: "discard",
    State.INCONCLUSIVE: "inconclusive",
    State.CRASHED: "crash",
    State.VETOED: "vetoed",
}
"""What ``results.tsv`` says of an experiment that has ended; one that was cancelled was not tried."""


class Following:
    """One run's branch and table; called as often as anybody likes, it does what is not done yet."""

    def __init__(self, store: Store, settings: Callable[[], ScriptLaneSettings], ground: Ground) -> None:
        self._store, self._settings, self._ground = store, settings, ground
        self._turn = asyncio.Lock()
        self._reigns = 0
        """Reigns that the branch is known to have."""

        self._told = ""

    @property
    def table(self) -> Path:
        """Where the table is: in the run's folder, where no script can write."""
        return self._store.folder / FILE

    async def run(self) -> None:
        """Follow the store until cancelled."""
        loop, committed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(committed.set)

        forget = self._store.listen(wake)
        try:
            while True:
                committed.clear()
                await self.catch_up()
                await committed.wait()
        finally:
            forget()

    async def catch_up(self) -> None:
        """Write the lines that lack, then have the branch end with who reigns; what hinders it is said once."""
        async with self._turn:
            try:
                await self._write_lines()
                await self._follow_reigns()
                self._told = ""
            except (GitError, OSError) as error:
                if str(error) != self._told:
                    self._told = str(error)
                    self._store.submit(writes.event, Level.ERROR, "git", f"the branch does not follow: {error}")

    async def _write_lines(self) -> None:
        read, metric = self._store.read, self._settings().rule.metric
        written = await asyncio.to_thread(_written, self.table)
        ended = [one for one in read.experiments(*STATUS) if (str(one.number), STATUS[one.state]) not in written]
        if not ended:
            return
        worktree = await self._ground.worktree()
        for one in sorted(ended, key=lambda each: (each.ended_at or 0.0, each.number)):
            line = await _line(read, one.number, worktree)
            await asyncio.to_thread(append, self.table, metric, line)

    async def _follow_reigns(self) -> None:
        reigns = self._store.read.championships()
        if len(reigns) == self._reigns:
            return
        worktree = await self._ground.worktree()
        for number, reign in enumerate(reigns[self._reigns :], self._reigns):
            # What begins the run is on the branch already: the person's own commit.
            if number:
                experiment = self._store.read.experiment(reign.experiment)
                commit = await self._ground.commit_of(experiment)
                message = _message(self._store.read, reign, reigns[:number], self._settings().rule.metric)
                await worktree.keep(commit, message, f"reign {number}")
            self._reigns = number + 1


def _message(read: Reader, reign: Championship, before: list[Championship], metric: str) -> str:
    """The first line has the score, as everybody reads them."""
    number = reign.experiment
    value = _value(read, number)
    score = f"{metric} {value:.6f}" if value is not None else f"no {metric}"
    what = read.experiment(number).proposal.hypothesis
    if any(one.experiment == number for one in before):
        return f"{score}: back to {model_name(number)}\n\n{reign.reason}"
    verdict = read.verdict(number)
    return f"{score}: {_cut(what)}\n\n{what}\n\n{verdict.reason if verdict else reign.reason}"


async def _line(read: Reader, number: int, worktree: Worktree) -> Line:
    experiment, known = read.experiment(number), read.measurements()
    trained = read.done_stage(number, Lane.TRAIN)
    result = trained.result if trained else {}
    noise = pooled_noise(fresh_groups(known).values())
    return Line(
        experiment=number,
        commit=await worktree.tried(experiment.model),
        value=_value(read, number),
        memory=int(result.get("peak_memory", 0)),
        status=STATUS[experiment.state],
        description="baseline" if number == BASELINE else experiment.proposal.hypothesis,
        seconds=float(result.get("seconds", 0.0)),
        sd=noise.sd if noise else None,
        parent=experiment.parent if number != BASELINE else None,
        category=experiment.proposal.category,
    )


def _value(read: Reader, number: int) -> float | None:
    """What the verdict says that an experiment's metric is, over its seeds; what its first run got before that."""
    verdict = read.verdict(number)
    return verdict.value.estimate if verdict and verdict.value else value_of(read.measurements(number), number)


def _written(table: Path) -> set[tuple[str, str]]:
    """Experiment and status of the lines that are there."""
    try:
        header, *lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
        columns = header.split("\t")
        who, what = columns.index("experiment"), columns.index("status")
    except (FileNotFoundError, ValueError):
        return set()
    cells = [line.split("\t") for line in lines]
    return {(row[who], row[what]) for row in cells if len(row) > max(who, what)}


def _cut(words: str) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= 60 else f"{plain[:59]}…"
