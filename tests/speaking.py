"""A language model within the process that says what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json

from checkpoints import writes
from checkpoints.store import Store
from checkpoints.thought import Exchange
from runner.agent.asking import Answer, Question, Unreadable, Unusable


class Scripted:
    """A language model that says what it is told to, in turn; the last one stays."""

    name = "openai/scripted"

    def __init__(self, store: Store, *said: object) -> None:
        self.store = store
        self.said = list(said)
        self.asked: list[Question] = []
        self.heard = asyncio.Event()
        """Set where it may answer."""

        self.heard.set()

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        await self.heard.wait()
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, Unusable):
            raise said
        kept = Exchange(0, 0.0, question.purpose, self.name, "json_schema", None, "", "", "", 1, 1, None, 0.1)
        number = await self.store.do(writes.add_exchange, kept)
        if isinstance(said, str):
            raise Unreadable("no JSON", said, number)
        assert isinstance(said, dict)
        return Answer(json.dumps(said), said, number)

    async def close(self) -> None: ...
