"""The process that asks a language model, as its owner sees it: questions go in, answers come out, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from checkpoints.records import Json
from checkpoints.text import clean
from lanes.launch import LocalProcess
from lanes.tail import last_words, plain

PROGRAM = "lanes.workers.agent"

LOG = "agent.txt"
"""What the process said besides, in the folder that it was given."""

START_SECONDS = 180.0
"""Longest time until it is ready; it imports a large library."""

GRACE_SECONDS = 15.0
"""A process that has not kept its own limit on an answer after so long hangs."""

LONGEST_LINE = 8 * 2**20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom to ask; keys are in the environment only."""

    model: str
    """litellm model string."""

    api_base: str | None = None
    """Where its service is; None where litellm knows."""


@dataclass(frozen=True, slots=True)
class Prices:
    """USD of a token in and out; None where nobody knows."""

    token_in: float | None = None
    token_out: float | None = None

    @property
    def known(self) -> bool:
        """Whether somebody knows them."""
        return self.token_in is not None and self.token_out is not None

    def of(self, tokens_in: int, tokens_out: int) -> float | None:
        """USD of so many tokens; None where nobody knows."""
        if self.token_in is None or self.token_out is None:
            return None
        return tokens_in * self.token_in + tokens_out * self.token_out


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a question."""

    text: str
    value: Json | None
    """What fits the schema; None where text was asked for or none does."""

    form: str
    kind: str
    """Why there is no usable answer, in a word: ``reply`` where one came that is not what was asked for; empty where
    there is one."""

    line: str
    """The same in a line."""

    wait: float
    """Seconds that the service asks to be left alone."""

    tokens_in: int
    tokens_out: int
    usd: float | None
    trouble: str = ""
    """Why it was asked more than once, as far as it answered in the end."""


class NotReady(Exception):
    """It cannot ask anybody; the message is a line for a person."""

    def __init__(self, kind: str, line: str) -> None:
        super().__init__(line)
        self.kind = kind


class Died(Exception):
    """It has ended; the message is a line for a person."""


class Hung(Died):
    """It did not keep its own limit, and was ended."""


class Process:
    """One process for one model; starting it takes seconds, so it is kept."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet.

        Args:
            folder: For its log; made if absent.
        """
        self.prices = Prices()
        self._log = folder / LOG
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[asyncio.Future[Json], Callable[[str, str], None]]] = {}
        self._child: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._listening is not None and not self._listening.done()

    async def start(self, whom: Whom) -> None:
        """Start it, and wait until it is ready.

        Raises:
            NotReady: It says that nobody can be asked: no key, no such provider.
            Died: It cannot be started, ended without a word, or took too long.
        """
        try:
            await self._spawn()
        except OSError as error:
            raise Died(f"the agent's process cannot be started: {error.strerror}") from None
        try:
            await self._say(asdict(whom))
            first = await self._first_line()
        except BaseException:
            await self.close()
            raise
        self.prices = Prices(*first["ready"])
        self._listening = asyncio.create_task(self._listen(), name="agent-process")

    async def ask(self, question: Json, seconds: float, on_saying: Callable[[str, str], None]) -> Heard:
        """Have one question asked; cancelling it takes it back.

        Args:
            question: ``messages``, ``schema``, ``form`` and ``room``.
            seconds: Longest that all of it may take.
            on_saying: Called with the end of what is being said, and the form, a few times a second.

        Raises:
            Died: It has ended.
            Hung: It does not keep the limit, and was ended.
        """
        number = next(self._numbers)
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        if not self.alive:
            raise self._death()
        self._asked[number] = future, on_saying
        try:
            await self._say({"id": number, "seconds": seconds} | question)
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return _heard(await future)
        except TimeoutError:
            await self.close()
            raise Hung(f"the agent's process did not answer in {seconds + GRACE_SECONDS:.0f} s and was ended") from None
        except asyncio.CancelledError:
            self._take_back(number)
            raise
        finally:
            self._asked.pop(number, None)

    async def close(self) -> None:
        """End it; whoever waits for an answer hears that it died."""
        if self._child is None:
            return
        assert self._child.stdin
        self._child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()
        if self._listening:
            await self._listening

    async def _spawn(self) -> None:
        await asyncio.to_thread(self._log.parent.mkdir, parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", PROGRAM, env=LocalProcess().environment(), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=log, limit=LONGEST_LINE, start_new_session=True,
            )  # fmt: skip

    async def _first_line(self) -> Json:
        try:
            async with asyncio.timeout(START_SECONDS):
                first = await self._line()
        except TimeoutError:
            raise Died(f"the agent's process was not ready in {START_SECONDS:.0f} s") from None
        if failed := first.get("failed"):
            raise NotReady(failed["kind"], clean(failed["line"]))
        return first

    async def _listen(self) -> None:
        try:
            while True:
                said = await self._line()
                if (asked := self._asked.get(said["id"])) is None:
                    continue  # it was taken back
                future, on_saying = asked
                if "saying" in said:
                    on_saying(clean(said["saying"]), said["form"])
                elif not future.done():
                    future.set_result(said)
        except Died as died:
            for future, _ in self._asked.values():
                if not future.done():
                    future.set_exception(Died(str(died)))

    async def _line(self) -> Json:
        assert self._child and self._child.stdout
        try:
            line = await self._child.stdout.readline()
            said: Json = json.loads(line) if line else {}
        except ValueError:  # no JSON, or longer than any line of ours
            raise Died("the agent's process said what it should not") from None
        if not said:
            raise self._death()
        return said

    async def _say(self, line: Json) -> None:
        assert self._child and self._child.stdin
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # why it has ended is said by its output
            self._child.stdin.write(json.dumps(line).encode() + b"\n")
            await self._child.stdin.drain()

    def _take_back(self, number: int) -> None:
        if self.alive and self._child and self._child.stdin:
            self._child.stdin.write(json.dumps({"cancel": number}).encode() + b"\n")

    def _death(self) -> Died:
        return Died(f"the agent's process has ended: {plain(last_words(self._log)) or 'it said nothing'}")


def _heard(said: Json) -> Heard:
    found: Json = said.get("done") or said["failed"]
    return Heard(
        clean(found["text"]), found.get("value"), found["form"], found.get("kind", ""), clean(found.get("line", "")),
        found.get("wait", 0.0), found["tokens_in"], found["tokens_out"], found["usd"],
        clean(found.get("trouble", "")),
    )  # fmt: skip
