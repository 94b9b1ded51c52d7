"""The judge's process: pairs come in as lines, judgements go out as lines.

The first line of the input says whom to ask (``model``, ``api_base``), each further line is a pair (``id``, ``prompt``,
``answer_a``, ``answer_b``). Each line of the output has the ``id`` of a pair with what was said in its two display
orders (``first``, ``second``), or ``trouble``: what the judge was asked again for, or what it does not take, or
``failed``: why it cannot be asked at all, with which the process ends. It ends by itself when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from checkpoints.records import Choice, Json
from lanes.judge.questions import FORMATS, LONGEST_REPLY, Messages, question, read_reply, repair
from lanes.judge.records import Pair, turned
from lanes.tail import plain
from lanes.workers.json_lines import Lines, heard
from lanes.workers.litellm_client import CannotAsk, asked_to_wait, load, passing, said_by, stand_in

REPAIRS = 2
"""How often a reply that cannot be read is asked for again."""

TRIES = 5
"""Requests until a service that is busy or broken counts as not there."""

REQUEST_SECONDS = 60.0
LONGEST_WAIT = 60.0
"""Most seconds that a service may ask to be left alone (``Retry-After``)."""

TOGETHER = 4
"""Pairs that are judged at the same time."""

REPLY_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one question."""

    choice: Choice | None
    note: str = ""
    """Why there is no choice."""


class Judge:
    """Asks one model, and remembers in which form it can reply."""

    def __init__(self, model: str, api_base: str | None, tell: Callable[[str], None]) -> None:
        """Import litellm, which takes seconds.

        Args:
            model: Whom to ask.
            api_base: Where its service is; None where litellm knows.
            tell: Called with a line for a person where a try came to nothing and another did not.

        Raises:
            CannotAsk: A key is missing from the environment.
        """
        self._litellm: Any = load()
        self._model, self._api_base, self._tell = model, api_base, tell
        self._form = 0
        self._key = stand_in(self._litellm, model, api_base)

    async def judge(self, pair: Pair) -> Json:
        """A pair in both display orders, in the pair's own terms.

        Raises:
            CannotAsk: There is no reply at all.
        """
        first = await self._ask(question(pair))
        second = await self._ask(question(pair.other_way_round()))
        own = second.choice and turned(second.choice)
        return {"first": first.choice, "second": own, "note": first.note or second.note}

    async def _ask(self, messages: Messages) -> Heard:
        chat, reply = messages, ""
        for _ in range(1 + REPAIRS):
            try:
                reply = await self._reply(chat)
            except self._litellm.BadRequestError as error:
                return Heard(None, f"the request was refused: {said_by(error)}")
            if (choice := read_reply(reply)) is not None:
                return Heard(choice)
            chat = repair(messages, reply)
        return Heard(None, f"the reply could not be read: {plain(reply[:200]) or 'it is empty'}")

    async def _reply(self, messages: Messages) -> str:
        """The reply in the strictest form that the model takes.

        Raises:
            litellm.BadRequestError: It refuses this chat in every form.
            CannotAsk: There is no reply at all.
        """
        bad = self._litellm.BadRequestError
        hopeless = (self._litellm.ContextWindowExceededError, self._litellm.ContentPolicyViolationError)
        refused = ""
        for form in range(self._form, len(FORMATS)):
            try:
                reply = await self._request(messages, FORMATS[form])
            except hopeless:
                raise
            except bad as error:
                if form + 1 == len(FORMATS):
                    raise
                refused = said_by(error)
                continue
            if form > self._form:  # else another question, asked at the same time, was the first to find out
                self._tell(f"{self._model} is asked in a freer form from now on: {refused}")
            self._form = form
            return reply
        raise AssertionError("every form was tried")

    async def _request(self, messages: Messages, form: Json | None) -> str:
        """One reply, through what passes: too many requests, a broken or silent service."""
        known = self._litellm
        passes = passing(known)
        trouble = ""
        for attempt in range(1, TRIES + 1):
            try:
                reply = await self._complete(messages, form)
                if trouble:
                    self._tell(f"{self._model} was asked again, and replied: {trouble}")
                return reply
            except known.BadRequestError:
                raise
            except passes as error:
                if attempt == TRIES:
                    raise CannotAsk(f"{self._model} gave no reply in {TRIES} tries: {said_by(error)}") from None
                trouble = said_by(error)
                await asyncio.sleep(self._pause(error, attempt))
            except known.AuthenticationError:
                # The service's own words may quote a part of the key.
                raise CannotAsk(f"{self._model}: the key in the environment was refused; set another one") from None
            except Exception as error:
                raise CannotAsk(f"{self._model} cannot be asked: {said_by(error)}") from None
        raise AssertionError("every try ends")

    async def _complete(self, messages: Messages, form: Json | None) -> str:
        response = await self._litellm.acompletion(
            model=self._model, messages=messages, api_base=self._api_base, api_key=self._key, response_format=form,
            temperature=0, max_tokens=REPLY_TOKENS, timeout=REQUEST_SECONDS, num_retries=0, max_retries=0,
        )  # fmt: skip
        content = response.choices[0].message.content if response.choices else None
        return str(content or "")[:LONGEST_REPLY]

    def _pause(self, error: Exception, attempt: int) -> float:
        """Seconds until the next try: as the service says, else longer each time."""
        asked = asked_to_wait(error)
        if asked is None:
            return 0.5 * 2**attempt * random.uniform(0.5, 1.0)
        if asked > LONGEST_WAIT:
            raise CannotAsk(f"{self._model} asks to be left alone for {asked:.0f} s; try again then")
        return asked


async def serve(say: Lines) -> None:
    """Judge pairs as they come, some at a time; ends with the process, or when the judge cannot be asked."""
    lines = heard()
    try:
        order = json.loads(await lines.get())
        judge = Judge(order["model"], order["api_base"], lambda line: say.line({"trouble": line}))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(TOGETHER):
                tasks.create_task(_work(judge, lines, say))
    except* CannotAsk as group:
        say.line({"failed": str(group.exceptions[0])})
    except* ImportError as group:
        say.line({"failed": f"litellm cannot be imported ({plain(str(group.exceptions[0]))}); install it again"})


async def _work(judge: Judge, lines: asyncio.Queue[bytes], say: Lines) -> None:
    while True:
        asked = json.loads(await lines.get())
        pair = Pair(asked["prompt"], asked["answer_a"], asked["answer_b"])
        say.line({"id": asked["id"]} | await judge.judge(pair))


if __name__ == "__main__":
    asyncio.run(serve(Lines()))
    os._exit(1)  # what a library left behind is not waited for
