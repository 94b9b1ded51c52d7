"""The arena's service, a worker: ``python -m lanes.arena.serve ORDER.json`` takes votes over HTTP until it is ended.

``result.json`` says where it listens, when it is ready. It ends on SIGTERM, and when the run has had no owner and
nobody votes or is answered for a while. The ledger beside the order outlives it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from checkpoints.artifacts import write_json
from lanes.arena.app import build
from lanes.arena.entry import Entry, TokenError
from lanes.arena.ledger import Ledger
from lanes.arena.schema import LedgerError
from lanes.arena.service import Service
from lanes.arena.wanted import Wanted
from lanes.connection import Connection, allow_open_files
from lanes.order import LOCK, RESULT, WORKER, ArenaOrder, ArenaResult
from lanes.workers.failures import InputError, classify
from lanes.workers.presence import Owner, introduce, take_lock

PROGRAM = "lanes.arena.serve"

LOOK_SECONDS = 2.0
"""How often it looks whether it is still wanted."""


class PortTaken(InputError):
    """People have links to a port that cannot be had."""


def main(order_file: Path) -> int:
    """Serve until the end; returns the exit status."""
    folder = order_file.absolute().parent
    lock = take_lock(folder / LOCK)
    if lock is None:
        print(f"{folder} has a living arena already", flush=True)
        return 1
    introduce(folder / WORKER, PROGRAM)
    try:
        order = ArenaOrder.model_validate_json(order_file.read_bytes())
        _run(order, folder)
    except (LedgerError, TokenError) as error:
        return _failed(folder, InputError(str(error)))
    except Exception as error:
        return _failed(folder, error)
    return 0


def _run(order: ArenaOrder, folder: Path) -> None:
    allow_open_files()
    with _listen(order.host, order.port, _has_links(folder)) as listening:
        served = _Served(order, folder, listening)
        with asyncio.Runner(loop_factory=served.config.get_loop_factory()) as runner:
            runner.run(served.serve())


class _Served:
    """One order being served."""

    def __init__(self, order: ArenaOrder, folder: Path, listening: socket.socket) -> None:
        self._order, self._folder, self._socket = order, folder, listening
        self._inner: ASGIApp | None = None
        self.config = uvicorn.Config(
            self._answer, interface="asgi3", http=Connection, ws="none", lifespan="off", access_log=False,
            log_level="error", server_header=False, proxy_headers=False, timeout_keep_alive=30,
            timeout_graceful_shutdown=5, backlog=1024,
        )  # fmt: skip
        self._uvicorn = uvicorn.Server(self.config)

    async def serve(self) -> None:
        """Answer until the end."""
        service = Service(self._folder)
        try:
            names = (self._order.host, *self._order.names)
            self._inner = build(service, Entry(self._folder, names, service.ledger.voter_of))
            # What is loaded now stays for ever: the collector need not look through it again.
            gc.freeze()
            watch = asyncio.create_task(self._end_when_unwanted(service.wanted))
            self._say_ready()
            await self._uvicorn.serve(sockets=[self._socket])
            watch.cancel()
        finally:
            service.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._inner is not None
        await self._inner(scope, receive, send)

    def _say_ready(self) -> None:
        """The socket listens already: who connects now waits a moment for uvicorn."""
        host, port = self._socket.getsockname()[:2]
        _write_result(self._folder, ArenaResult(status="ready", host=host, port=port))
        print(f"the arena is on http://{host}:{port}", flush=True)

    async def _end_when_unwanted(self, wanted: Wanted) -> None:
        owner = Owner()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if wanted.is_over(owner.is_gone()):
                print("nobody owns the run and nobody votes or is answered any more: the arena ends", flush=True)
                self._uvicorn.should_exit = True


def _has_links(folder: Path) -> bool:
    with Ledger(folder) as ledger:
        return bool(ledger.invited())


def _listen(host: str, port: int, has_links: bool) -> socket.socket:
    """A listening socket on the port, or on a free one where the port is taken and nobody has links to it.

    Raises:
        InputError: There is no such address here, or people have links to a port that is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if port == 0:
            raise InputError(f"Cannot listen on {host} ({error.strerror}): use 127.0.0.1") from error
        if has_links:
            line = f"Port {port} cannot be had ({error.strerror}), and the links of those who were invited name it"
            raise PortTaken(f"{line}: end what listens there") from error
        print(f"Port {port} cannot be had ({error.strerror}): a free one is used instead", flush=True)
        return _listen(host, 0, has_links)


def _failed(folder: Path, error: Exception) -> int:
    kind, line = classify(error)
    print(line, flush=True)
    taken = isinstance(error, PortTaken)
    _write_result(folder, ArenaResult(status="failed", failure=kind, error=line, port_taken=taken))
    return 1


def _write_result(folder: Path, result: ArenaResult) -> None:
    write_json(folder / RESULT, result.model_dump(mode="json"))


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(Path(sys.argv[1])))
