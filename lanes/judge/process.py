"""A judge's process as its owner sees it: pairs go in, readings come out, and it ends with whoever asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from checkpoints.records import Choice, Json
from checkpoints.text import clean
from lanes.judge.records import Pair, Reading
from lanes.launch import LocalProcess
from lanes.tail import last_words, plain

PROGRAM = "lanes.workers.judge"

LOG = "judge.txt"
"""What the process said besides, in the folder that it was given."""

SILENT_SECONDS = 900.0
"""Longest time without a single judgement; the process has shorter limits of its own for each request."""


class JudgeFailed(Exception):
    """The judge cannot be asked: no key, no such model, nobody answers. The text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Whom to ask; keys are in the environment only."""

    model: str
    """A litellm model string."""

    api_base: str | None = None
    """Where its service is; None where litellm knows."""


class Judge:
    """The process of one judge; starting it takes seconds, so it is kept for as many pairs as there are."""

    def __init__(self, settings: Settings, folder: Path, complain: Callable[[str], object]) -> None:
        """Start nothing yet.

        Args:
            settings: Whom to ask.
            folder: For its log; made if absent.
            complain: Called with a line for a person where the judge was asked again, as often as it comes.
        """
        self.settings = settings
        self._folder, self._complain = folder, complain
        self._process: asyncio.subprocess.Process | None = None
        self._asked = 0
        """Pairs that were sent; the number of a pair is its id."""

    async def __aenter__(self) -> Self:
        """Start it."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        with (self._folder / LOG).open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", PROGRAM, env=LocalProcess().environment(), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        await self._say(asdict(self.settings))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        assert self._process and self._process.stdin
        self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def read(self, pairs: Sequence[Pair]) -> AsyncGenerator[tuple[int, Reading]]:
        """Have pairs judged in both display orders.

        Yields:
            Place of a pair and its reading, as they come.

        Raises:
            JudgeFailed: It cannot be asked; what came before stays true.
        """
        before, self._asked = self._asked, self._asked + len(pairs)
        for number, pair in enumerate(pairs, before):
            await self._say({"id": number} | asdict(pair))
        came = 0
        while came < len(pairs):
            said = await self._hear()
            if "trouble" in said:
                self._complain(clean(said["trouble"]))
            elif said["id"] >= before:  # else it was asked for by somebody who did not wait for it
                came += 1
                yield said["id"] - before, Reading(_choice(said["first"]), _choice(said["second"]), said["note"])

    async def read_all(self, pairs: Sequence[Pair]) -> list[Reading]:
        """The same all at once, in the order of the pairs."""
        found = {place: reading async for place, reading in self.read(pairs)}
        return [found[place] for place in range(len(pairs))]

    async def _say(self, line: Json) -> None:
        assert self._process and self._process.stdin
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # why it has ended is said by its output
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            await self._process.stdin.drain()

    async def _hear(self) -> Json:
        assert self._process and self._process.stdout
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise JudgeFailed(
                f"{self.settings.model} has judged nothing for {SILENT_SECONDS / 60:.0f} minutes"
            ) from None
        if not line:
            words = last_words(self._folder / LOG) or "it said nothing"
            raise JudgeFailed(f"the judge's process has ended: {words}")
        try:
            said: Json = json.loads(line)
        except ValueError:
            raise JudgeFailed(
                f"the judge's process says what it should not: {plain(line.decode(errors='replace'))}"
            ) from None
        if "failed" in said:
            raise JudgeFailed(clean(said["failed"]))
        return said


def _choice(word: str | None) -> Choice | None:
    return None if word is None else Choice(word)
