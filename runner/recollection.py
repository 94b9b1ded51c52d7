"""The memory as it is now, rebuilt beside the loop; and which experiment the next one branches from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import Proposal, Row
from checkpoints.rows import Rows
from checkpoints.store import Store
from runner.agent import search
from runner.agent.memory import Memory, remember
from runner.plan import Plan


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a memory was made of, as far as checks look at it."""

    rows: Sequence[Row]
    zoom_outs: int
    program: Plan
    base: int | None

    def same(self, other: _Seen) -> bool:
        """Whether nothing of it has changed; rows that nobody wrote to are the same tuple."""
        return (
            self.rows is other.rows
            and (self.zoom_outs, self.base) == (other.zoom_outs, other.base)
            and (self.program is other.program)
        )


class Recollection:
    """What a run remembers, for whoever proposes."""

    def __init__(self, store: Store, plan: Callable[[], Plan]) -> None:
        self.rows = Rows(store.read)
        self._store, self._plan = store, plan
        self._last: tuple[_Seen, Memory] | None = None

    async def now(self) -> Memory:
        """What a proposal may rest on that is made to who reigns."""
        return await self.of((await self.rows.look())[1])

    async def of(self, rows: Sequence[Row], base: int | None = None) -> Memory:
        """The same for given experiments, branching from one of them. In a thread: ten thousand beliefs take longer to
        read than a screen can wait."""
        seen = self._seen(rows, base)
        memory = await asyncio.to_thread(_remembered, self._store.folder, seen.program, rows, base)
        self._last = seen, memory
        return memory

    async def for_check(self, proposal: Proposal) -> Memory:
        """What a proposal is checked against: the memory before where the experiments are what they were then."""
        rows = (await self.rows.look())[1]
        if self._last and self._last[0].same(self._seen(rows, proposal.base)):
            return self._last[1]
        return await self.of(rows, proposal.base)

    def base(self, rows: Sequence[Row]) -> int | None:
        """The experiment that the next one branches from; None is whoever reigns when it is trained."""
        run, champion = self._store.read.run(), self._store.read.champion()
        if self._plan().search.policy == "greedy" or run is None or champion is None:
            return None
        base = search.base(rows, champion.experiment, run.seed)
        return None if base == champion.experiment else base

    def _seen(self, rows: Sequence[Row], base: int | None) -> _Seen:
        return _Seen(rows, len(self._store.read.zoom_outs()), self._plan(), base)


def _remembered(folder: Path, program: Plan, rows: Sequence[Row], base: int | None) -> Memory:
    with closing(Reader(folder)) as read:
        return remember(read, program, rows, program.closed(read), base)
