"""The language model of a run: asks it in a process of its own, within the program's caps, and keeps every exchange."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import Json, Level
from checkpoints.store import Store, StoreError
from checkpoints.text import clean
from checkpoints.thought import Exchange
from runner.agent.asking import Answer, Question, Unreadable
from runner.agent.caps import FEWEST_OUT, Caps, Guess
from runner.agent.connection import Connection
from runner.agent.process import Heard, Prices, Whom
from runner.agent.tokens import tokens

if TYPE_CHECKING:
    from runner.settings import Agent as Settings

FOLDER = "work/agent"
"""Of the process, in the run's folder."""

LAST = 9
"""Answers by whose length that of the next one is guessed."""


class Model:
    """The model that the program names now; any number of questions may be under way."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        """Start nothing yet, and end what an earlier runner was shown to say.

        Args:
            store: Of the run; takes exchanges, what is being said, and events.
            settings: The ``agent`` part of the program as it is now; another model or another service takes effect at
                the next question.
        """
        self._store, self._settings = store, settings
        self._connection: Connection | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._caps = Caps(store.read.spent, self._tell)
        self._speaking: list[_Asking] = []
        self._unpriced: set[str] = set()
        self._lengths: deque[int] = deque(maxlen=LAST)
        store.submit(writes.fall_silent)

    @property
    def name(self) -> str:
        """litellm model string of the model that is asked next."""
        return self._settings().model

    async def ask(self, question: Question) -> Answer:
        """Ask, and keep the exchange in the store; what comes is shown as it comes.

        Raises:
            Unreadable: What came is not what was asked for; asking again with that said may help.
            Unusable: It cannot be asked, now or at all.
        """
        settings = self._settings()
        connection = self._to(Whom(settings.model, settings.api_base))
        if line := connection.rests:
            raise connection.unusable(line)
        asking = _Asking(question, settings.model)
        self._caps.check(settings.max_usd, settings.max_tokens, self._guess(asking))
        try:
            heard = await self._heard(connection, asking, settings)
        except asyncio.CancelledError:
            with suppress(StoreError):
                self._store.submit(writes.add_exchange, asking.cut_off("it was taken back"))
            raise
        number = await asyncio.shield(self._store.do(writes.add_exchange, asking.exchange(heard)))
        self._lengths.append(heard.tokens_out)
        if not heard.kind:
            return Answer(heard.text, heard.value, number)
        if heard.kind == "reply":
            raise Unreadable(heard.line, heard.text, number)
        raise connection.unusable(heard.line)

    async def close(self) -> None:
        """End the process; questions under way fail."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        if self._connection:
            await self._connection.close()

    async def _heard(self, connection: Connection, asking: _Asking, settings: Settings) -> Heard:
        """What came of a question, shown while it comes."""
        guess: Guess | None = None

        def allow(prices: Prices) -> Json:
            nonlocal guess
            asking.prices = prices
            self._say_if_unpriced(settings, prices)
            self._caps.check(settings.max_usd, settings.max_tokens, self._guess(asking))
            tokens, usd = self._caps.left(settings.max_usd, settings.max_tokens)
            self._caps.begin(guess := self._guess(asking))
            return {"tokens": tokens, "usd": usd, "asking": asking.tokens_in}

        def on_saying(text: str, form: str) -> None:
            asking.said, asking.form = text, form
            self._show(asking)

        self._speaking.append(asking)
        self._show(asking)
        try:
            return await connection.ask(asking.question, settings.timeout_seconds, allow, on_saying)
        finally:
            if guess:
                self._caps.end(guess)
            self._fall_silent(asking)

    def _guess(self, asking: _Asking) -> Guess:
        """What a question will use: an answer like the last ones, whatever one of them was."""
        middle = sorted(self._lengths)[len(self._lengths) // 2] if self._lengths else 0
        out = max(FEWEST_OUT, middle)
        return Guess(asking.tokens_in + out, asking.usd(asking.tokens_in, out) or 0.0)

    def _say_if_unpriced(self, settings: Settings, prices: Prices) -> None:
        if settings.max_usd is None or prices.known or settings.model in self._unpriced:
            return
        self._unpriced.add(settings.model)
        line = f"nobody knows the price of {settings.model}: agent.max_usd cannot be held, agent.max_tokens can"
        self._tell(Level.WARNING, line)

    def _to(self, whom: Whom) -> Connection:
        """The way to a model; one to another model is closed when nobody waits for it any more."""
        if self._connection is None or self._connection.whom != whom:
            if self._connection:
                task = asyncio.create_task(self._connection.leave())
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
            self._connection = Connection(whom, self._store.folder / FOLDER, self._tell)
        return self._connection

    def _show(self, asking: _Asking) -> None:
        self._store.submit(writes.speak, asking.question.purpose, asking.said, asking.at)

    def _fall_silent(self, asking: _Asking) -> None:
        """Show what is said to another question that is under way, else nothing."""
        self._speaking.remove(asking)
        if self._speaking:
            self._show(self._speaking[-1])
        else:
            self._store.submit(writes.fall_silent)

    def _tell(self, level: Level, line: str) -> None:
        self._store.submit(writes.event, level, "agent", line)


class _Asking:
    """A question under way."""

    def __init__(self, question: Question, model: str) -> None:
        self.question, self.model = question, model
        self.request = clean("\n\n".join(f"[{each['role']}]\n{each['content']}" for each in question.messages))
        self.tokens_in = tokens(self.request) + tokens(json.dumps(question.schema) if question.schema else "")
        self.at, self._began = time.time(), time.monotonic()
        self.said, self.form = "", "text" if question.schema is None else "json_schema"
        self.prices: Prices | None = None
        """None until it is sent."""

    def usd(self, tokens_in: int, tokens_out: int) -> float | None:
        """What so many tokens cost; None where nobody knows."""
        return self.prices.of(tokens_in, tokens_out) if self.prices else 0.0

    def exchange(self, heard: Heard) -> Exchange:
        """What the store keeps of it."""
        if not heard.form:
            return self.cut_off(heard.line)
        return self._exchange(heard.form, heard.text, heard.line, heard.tokens_in, heard.tokens_out, heard.usd)

    def cut_off(self, why: str) -> Exchange:
        """The same where nobody knows how it went on; what it used is guessed."""
        used = (self.tokens_in, tokens(self.said)) if self.prices else (0, 0)
        return self._exchange(self.form, self.said, why, *used, self.usd(*used))

    def _exchange(
        self, form: str, answer: str, error: str, tokens_in: int, tokens_out: int, usd: float | None
    ) -> Exchange:
        seconds = time.monotonic() - self._began
        return Exchange(
            0, self.at, self.question.purpose, self.model, form, None, self.request, answer, error, tokens_in,
            tokens_out, usd, seconds,
        )  # fmt: skip
