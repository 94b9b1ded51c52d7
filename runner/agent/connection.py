"""The way to one language model: a process that is started when it is needed and again when it dies, and a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from checkpoints.records import Json, Level
from runner.agent.asking import Hopeless, Question, Unusable
from runner.agent.breaker import Breaker
from runner.agent.process import Died, Heard, Hung, NotReady, Prices, Process, Whom

READABLE = frozenset({"", "reply"})
"""Kinds of what came that show that the service works."""

HOPELESS = frozenset({"key", "model"})
"""Kinds of failure that pass only when a person does something."""


class Connection:
    """To one model; keeps the form that it has answered in."""

    def __init__(self, whom: Whom, folder: Path, tell: Callable[[Level, str], None]) -> None:
        """Start nothing yet.

        Args:
            whom: To ask.
            folder: For the log of the process.
            tell: Takes what a person should know, a line each.
        """
        self.whom = whom
        self._folder, self._tell = folder, tell
        self._breaker = Breaker()
        self._process: Process | None = None
        self._starting = asyncio.Lock()
        self._form: str | None = None
        self._asking, self._closed = 0, False
        self._hopeless = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def rests(self) -> str:
        """Why and how long nobody is asked now, a line; empty where somebody may ask."""
        if not (seconds := self._breaker.rests):
            return ""
        return self._left_alone(f"{seconds:.0f} s more", self._breaker.why)

    def unusable(self, line: str) -> Unusable:
        """Why it cannot be asked, with how long that will last, as far as anybody knows."""
        return (Hopeless if self._hopeless else Unusable)(line, seconds=self._breaker.rests)

    async def ask(
        self,
        question: Question,
        seconds: float,
        allow: Callable[[Prices], Json],
        on_saying: Callable[[str, str], None],
    ) -> Heard:
        """Ask; whatever comes of it is returned.

        Args:
            question: What is asked.
            seconds: Longest that an answer may take.
            allow: Called with the model's prices before anything is sent; what it raises is raised. Returns what the
                question may use, as the worker's ``Room`` has it.
            on_saying: Called with the end of what is being said, and the form, a few times a second.
        """
        probe = self._breaker.enter()
        self._asking += 1
        self._idle.clear()
        try:
            heard = await self._ask(question, seconds, allow, on_saying)
        except NotReady as failed:
            heard = _nothing(failed.kind, str(failed))
        except Died as died:
            heard = _nothing("service", str(died))
        except BaseException:
            self._breaker.withdraw(probe)
            raise
        finally:
            self._asking -= 1
            if not self._asking:
                self._idle.set()
        self._learn(heard, probe)
        return heard

    async def leave(self) -> None:
        """End the process when no question is under way any more, or at once where this is cancelled."""
        try:
            await self._idle.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """End the process; questions that are under way fail."""
        self._closed = True
        if self._process:
            await self._process.close()

    def _left_alone(self, how_long: str, why: str) -> str:
        """A line that names the model once."""
        model = self.whom.model
        said = f"it{why.removeprefix(model)}" if why.startswith(f"{model} ") else why
        return f"{model} is left alone for {how_long}: {said}"

    async def _ask(
        self,
        question: Question,
        seconds: float,
        allow: Callable[[Prices], Json],
        on_saying: Callable[[str, str], None],
    ) -> Heard:
        """Ask, with another process where the first has died."""
        asked: Json = {
            "messages": [dict(message) for message in question.messages],
            "schema": question.schema,
            "form": self._form if question.schema is not None else None,
        }
        process = await self._started()
        asked["room"] = allow(process.prices)
        try:
            return await process.ask(asked, seconds, on_saying)
        except Hung:
            raise
        except Died as died:
            self._tell(Level.WARNING, f"{self.whom.model} is asked once more, in another process: {died}")
            return await (await self._started()).ask(asked, seconds, on_saying)

    async def _started(self) -> Process:
        async with self._starting:
            if self._process is None or not self._process.alive:
                if self._closed:
                    raise Died("the agent's process was ended")
                self._process = Process(self._folder)
                await self._process.start(self.whom)
            return self._process

    def _learn(self, heard: Heard, probe: bool) -> None:
        self._hopeless = heard.kind in HOPELESS
        if heard.kind in READABLE:
            if heard.value is not None:
                self._form = heard.form
            if heard.trouble:
                self._tell(Level.WARNING, f"{self.whom.model} was asked again, and answered: {heard.trouble}")
            if self._breaker.worked(probe):
                self._tell(Level.INFO, f"{self.whom.model} answers again")
            return
        seconds = self._breaker.failed(heard.line, probe, self._hopeless, heard.wait)
        if seconds:
            self._tell(Level.WARNING, self._left_alone(f"{seconds:.0f} s", heard.line))


def _nothing(kind: str, line: str) -> Heard:
    return Heard("", None, "", kind, line, 0.0, 0, 0, 0.0)
