"""The judge's process: pairs come in as lines, judgements go out as lines. The only module that imports litellm.

The first line of the input says whom to ask (``model``, ``api_base``), each further line is a pair (``id``, ``prompt``,
``answer_a``, ``answer_b``). Each line of the output has the ``id`` of a pair with what was said in its two display
orders (``first``, ``second``), or ``failed``: why the judge cannot be asked at all, with which the process ends. It
ends by itself when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from checkpoints.records import Choice, Json
from lanes.judge.questions import FORMATS, LONGEST_REPLY, Messages, question, read_reply, repair
from lanes.judge.records import Pair, turned
from lanes.tail import plain

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

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
}
"""Nothing is fetched at the import, no ``.env`` is read, nothing is logged that could hold a key."""


class CannotAsk(Exception):
    """The judge cannot be asked at all; the text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one question."""

    choice: Choice | None
    note: str = ""
    """Why there is no choice."""


class Judge:
    """Asks one model, and remembers in which form it can reply."""

    def __init__(self, model: str, api_base: str | None) -> None:
        """Import litellm, which takes seconds.

        Raises:
            CannotAsk: A key is missing from the environment.
        """
        os.environ.update(ENVIRONMENT)
        import litellm

        litellm.suppress_debug_info = True
        litellm.drop_params = True
        self._litellm: Any = litellm
        self._model, self._api_base = model, api_base
        self._form = 0
        self._key = self._stand_in()

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
                return Heard(None, f"the request was refused: {self._plain(error)}")
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
        for form in range(self._form, len(FORMATS)):
            try:
                reply = await self._request(messages, FORMATS[form])
            except hopeless:
                raise
            except bad:
                if form + 1 == len(FORMATS):
                    raise
                continue
            self._form = form
            return reply
        raise AssertionError("every form was tried")

    async def _request(self, messages: Messages, form: Json | None) -> str:
        """One reply, through what passes: too many requests, a broken or silent service."""
        known = self._litellm
        passes = (
            known.RateLimitError, known.InternalServerError, known.ServiceUnavailableError, known.APIConnectionError,
            known.Timeout, known.BadGatewayError,
        )  # fmt: skip
        for attempt in range(1, TRIES + 1):
            try:
                return await self._complete(messages, form)
            except known.BadRequestError:
                raise
            except passes as error:
                if attempt == TRIES:
                    raise CannotAsk(f"{self._model} gave no reply in {TRIES} tries: {self._plain(error)}") from None
                await asyncio.sleep(self._pause(error, attempt))
            except known.AuthenticationError:
                # The service's own words may quote a part of the key.
                raise CannotAsk(f"{self._model}: the key in the environment was refused; set another one") from None
            except Exception as error:
                raise CannotAsk(f"{self._model} cannot be asked: {self._plain(error)}") from None
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
        headers: Any = getattr(error, "litellm_response_headers", None) or {}
        asked = _seconds(headers.get("retry-after", ""))
        if asked is None:
            return 0.5 * 2**attempt * random.uniform(0.5, 1.0)
        if asked > LONGEST_WAIT:
            raise CannotAsk(f"{self._model} asks to be left alone for {asked:.0f} s; try again then")
        return asked

    def _stand_in(self) -> str | None:
        """None, so that keys come from the environment; something in its place for a service that asks for none.

        Raises:
            CannotAsk: The service asks for one, and it is not there.
        """
        missing: list[str] = self._litellm.validate_environment(self._model).get("missing_keys", [])
        if not missing:
            return None
        if self._api_base:
            return "none"
        raise CannotAsk(f"{self._model} needs {', '.join(missing)} in the environment")

    def _plain(self, error: Exception) -> str:
        """One line of an error, without the keys of the environment."""
        text = str(error)
        for name, value in os.environ.items():
            if len(value) >= 8 and name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD")):
                text = text.replace(value, "…")
        return plain(text)


def _seconds(retry_after: str) -> float | None:
    """What ``Retry-After`` asks for, in seconds from now; None where it says nothing. It may be a date (RFC 9110)."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


async def serve(say: Lines) -> None:
    """Judge pairs as they come, some at a time; ends with the process, or when the judge cannot be asked."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    threading.Thread(target=_listen, args=(lines, asyncio.get_running_loop()), daemon=True).start()
    try:
        order = json.loads(await lines.get())
        judge = Judge(order["model"], order["api_base"])
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


def _listen(lines: asyncio.Queue[bytes], loop: asyncio.AbstractEventLoop) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    os._exit(0)  # whoever asked is gone, and nobody waits for what is still under way


class Lines:
    """The output, kept from whatever a library prints."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def line(self, said: Json) -> None:
        """Say something."""
        print(json.dumps(said), file=self._output, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Lines()))
    os._exit(1)  # what a library left behind is not waited for
