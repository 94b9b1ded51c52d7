"""The arena as the evaluate lane sees it: its process, kept up, and its ledger, read and written in one thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from checkpoints.artifacts import write_json
from checkpoints.records import FailureKind
from lanes.arena.schema import LedgerError
from lanes.lane import StageFailed
from lanes.launch import Launcher
from lanes.order import ORDER, ArenaOrder, ArenaResult
from lanes.worker import Worker, WorkerError

if TYPE_CHECKING:
    from lanes.arena.ledger import Ledger
    from lanes.arena.lineup import Lineup
    from lanes.evaluate_settings import ArenaSettings

T = TypeVar("T")

ARENA = "arena"
"""Folder of the run that holds the arena's ledger, its tokens and its process's files."""

PROGRAM = "lanes.arena.serve"

START_SECONDS = 60.0
"""Most time until the service listens."""


class PortTaken(StageFailed):
    """People have links to a port that the service cannot have; it may be free later."""


def arena_order(said: ArenaSettings) -> ArenaOrder:
    """What the service is told: where to listen, and the names under which it is asked."""
    name = urlsplit(said.url).hostname if said.url else None
    return ArenaOrder(host=said.host, port=said.port, names=(name,) if name else ())


def url_of(host: str, port: int) -> str:
    """Where a service is reached that listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def where_it_serves(folder: Path) -> str:
    """URL of the arena of a folder; empty where none listens, or not yet."""
    worker = Worker(folder)
    found = worker.result() if worker.alive else None
    if found is None:
        return ""
    result = ArenaResult.model_validate(found)
    return url_of(result.host, result.port) if result.status == "ready" else ""


class ArenaDesk:
    """The arena of a run: a service that lives is taken up, one that died is started again."""

    def __init__(self, folder: Path, order: ArenaOrder, launcher: Launcher, owner: Path) -> None:
        """Say where to listen.

        Args:
            folder: Of the arena.
            order: Where it listens.
            launcher: Where the process starts.
            owner: Lock file of the run.
        """
        self.order = order
        self._launcher, self._owner = launcher, owner
        self._worker = Worker(folder)
        self._ledger: Ledger | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="arena-ledger")
        self._told: Lineup | None = None
        self._turn = asyncio.Lock()
        self.place = ""
        """Host and port where it listens; empty while it does not."""

    @property
    def folder(self) -> Path:
        """Of the arena."""
        return self._worker.folder

    @property
    def alive(self) -> bool:
        """Whether the service's process lives."""
        return self._worker.alive

    @property
    def where(self) -> tuple[str, int] | None:
        """Host and port where it listens; None while it does not."""
        host, _, port = self.place.rpartition(":")
        return (host, int(port)) if self.place and self.alive else None

    async def up(self) -> bool:
        """Have a service that listens under the order: the one that is there, or a new one.

        Returns:
            Whether it was started anew.

        Raises:
            StageFailed: It does not come up.
        """
        async with self._turn:
            return await self._up()

    async def down(self) -> None:
        """End the service and let go of the ledger, which stays."""
        with contextlib.suppress(WorkerError):
            await self._worker.kill()
        await self.leave()

    async def end(self) -> None:
        """End a service that does not answer; the next ``up`` starts another.

        Raises:
            WorkerError: It does not end.
        """
        await self._worker.kill(grace=0)

    async def leave(self) -> None:
        """Let the service live and let go of it and of the ledger, for good."""
        self.place, self._told = "", None
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_ledger)
        self._thread.shutdown(wait=False)

    async def ask(self, what: Callable[[Ledger], T]) -> T:
        """Ask or tell the ledger something, in the ledger's thread.

        Raises:
            LedgerError: It cannot be opened.
            sqlite3.Error: It cannot be read or written now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: what(self._opened()))

    async def tell(self, lineup: Lineup) -> bool:
        """Put a lineup in force where it is another than before; returns whether it was."""
        if lineup == self._told:
            return False
        await self.ask(lambda ledger: ledger.set_lineup(lineup))
        self._told = lineup
        return True

    async def _up(self) -> bool:
        if self._worker.alive and await self._fits() and await self._listens():
            return False
        try:
            await self._worker.kill()
            # The ledger is made here, by whom the run belongs to: it is there when the service looks for it.
            await self.ask(lambda ledger: ledger.last())
            await asyncio.to_thread(write_json, self.folder / ORDER, self.order.model_dump(mode="json"))
            await self._worker.start(PROGRAM, self._launcher, self._owner)
        except (WorkerError, LedgerError) as error:
            raise StageFailed(FailureKind.CRASH, str(error)) from error
        except OSError as error:
            line = f"{self.folder} cannot be written ({error.strerror}): make room, or change its permissions"
            raise StageFailed(FailureKind.CRASH, line) from error
        if not await self._listens():
            words = self._worker.last_words() or "it said nothing"
            raise StageFailed(FailureKind.CRASH, f"the arena does not come up: {words}")
        return True

    def _opened(self) -> Ledger:
        if self._ledger is None:
            from lanes.arena.ledger import Ledger

            self._ledger = Ledger(self.folder)
        return self._ledger

    def _close_ledger(self) -> None:
        ledger, self._ledger = self._ledger, None
        if ledger:
            ledger.disconnect()

    async def _fits(self) -> bool:
        """Whether the service that lives was given the order that we would give."""
        try:
            text = await asyncio.to_thread((self.folder / ORDER).read_bytes)
            return ArenaOrder.model_validate_json(text) == self.order
        except (OSError, ValueError):
            return False

    async def _listens(self) -> bool:
        """Wait until the service says where it listens; False when it is gone, StageFailed when it says why."""
        found = await self._worker.result_within(START_SECONDS)
        if found is None:
            return False
        result = ArenaResult.model_validate(found)
        if result.status == "failed":
            self.place = "" if result.port_taken else self.place
            raise (PortTaken if result.port_taken else StageFailed)(result.failure or FailureKind.CRASH, result.error)
        self.place = f"{result.host}:{result.port}"
        return self._worker.alive
