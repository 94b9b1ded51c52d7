"""One question to a language model: down the ladder of forms, through what passes, piece by piece within its limits."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from checkpoints.records import Json
from lanes.workers.agent_forms import TEXT, is_about_the_form, ladder, request
from lanes.workers.agent_reading import Unfit, holds_json, read
from lanes.workers.agent_reply import Reply
from lanes.workers.agent_room import Full, Room, most_bytes, most_out
from lanes.workers.litellm_client import asked_to_wait, missing_keys, passing, said_by, without_whole_keys

TRIES = 4
"""Requests in one form until a service that is busy or broken counts as not there."""

LONGEST_WAIT = 60.0
"""Most seconds that a service may ask to be left alone (``Retry-After``) and is waited for."""

SAY_SECONDS = 0.25
SAID = 2000
"""The end of what is being said is passed on so often, and so many characters of it."""

LOOPS = "repeating the same chunk"
"""What litellm says of a model that does not come to an end, and breaks off."""

PLAYBOOK = "or go on with agent: {model: playbook}"


class Failed(Exception):
    """There is no usable answer; the text is one line, for a person or, where an answer came, for whoever gave it."""

    def __init__(self, kind: str, line: str, wait: float = 0.0) -> None:
        """Say of what kind it is.

        Args:
            kind: ``reply`` where an answer came that is not what was asked for; ``key`` and ``model`` where no other
                question would do better; else ``busy``, ``slow``, ``context``, ``refused`` or ``service``.
            line: What is wrong, and what to do.
            wait: Seconds that the service asks to be left alone.
        """
        super().__init__(line)
        self.kind, self.wait = kind, wait


@dataclass
class Service:
    """Whom to ask, and what is known of it."""

    litellm: Any
    model: str
    api_base: str | None
    key: str | None
    streams: bool = True
    limits: bool = True
    """Whether it takes a limit on the length of an answer."""

    @property
    def where(self) -> str:
        """Its place, for a person, without what could be a secret in it; empty where litellm knows it."""
        if not self.api_base:
            return ""
        parts = urlsplit(self.api_base)
        return f" at {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def price(self, tokens_in: int, tokens_out: int, usage: Any = None) -> float | None:
        """USD by litellm's own list; None where the model is not on it."""
        with contextlib.suppress(Exception):  # whatever it raises means that it does not know
            parts = self.litellm.cost_per_token(
                model=self.model, prompt_tokens=tokens_in, completion_tokens=tokens_out, usage_object=usage
            )
            return float(sum(parts))
        return None


class Turn:
    """One question and what becomes of it."""

    def __init__(self, service: Service, asked: Json, say: Callable[[Json], None]) -> None:
        """Ask nothing yet.

        Args:
            service: Whom to ask.
            asked: ``messages``, ``schema`` (null for words), ``form`` (one that the model has answered in, or null),
                ``room`` (see ``Room``) and ``seconds``, the longest that all of it may take.
            say: Takes what is being said, while it is.
        """
        self._service, self._litellm, self._say = service, service.litellm, say
        self._messages: list[Json] = asked["messages"]
        self._schema: Json | None = asked["schema"]
        self._known: str | None = asked["form"]
        self._room = Room(**asked["room"])
        self._out: int | None = None
        self._seconds: float = asked["seconds"]
        self._until = time.monotonic() + self._seconds
        self._form, self._reply, self._trouble, self._said_at = TEXT, Reply(), "", 0.0
        self._tokens_in, self._tokens_out, self._usd = 0, 0, 0.0
        self._priced = True

    async def answer(self) -> Json:
        """What came: ``done`` with the text (and the value, where a schema was given), or ``failed``."""
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._seconds):
                found: Json = {"done": await self._answer() | {"trouble": self._trouble}}
        except Failed as failed:
            found = {"failed": {"kind": failed.kind, "line": str(failed), "wait": failed.wait}}
        except TimeoutError:
            last = f" (before that: {self._trouble})" if self._trouble else ""
            line = f"{self._name} gave no whole answer in {self._seconds:g} s, agent.timeout_seconds{last}"
            found = {"failed": {"kind": "slow", "line": line, "wait": 0.0}}
        [said] = found.values()
        said |= {"text": self._text, "form": self._form, "tokens_in": self._tokens_in, "tokens_out": self._tokens_out}
        said |= {"usd": self._usd if self._priced else None}
        return found

    @property
    def _name(self) -> str:
        return self._service.model + self._service.where

    @property
    def _text(self) -> str:
        return without_whole_keys(self._reply.text).encode("utf-8", "replace").decode()

    async def _answer(self) -> Json:
        await self._climb_down()
        if self._reply.refusal:
            raise Failed("reply", f"it was declined: {without_whole_keys(self._reply.refusal)[:500]}")
        try:
            if self._schema is not None:
                return {"value": read(self._text, self._schema)}
            if not self._text.strip():
                raise Unfit("it is empty")
        except Unfit as unfit:
            cut = "it was cut off where the model's answers end; say it shorter: " if self._cut_short else ""
            raise Failed("reply", f"{cut}{unfit}") from None
        return {}

    @property
    def _cut_short(self) -> bool:
        return self._reply.finish == "length"

    async def _climb_down(self) -> None:
        """Get an answer in the strictest form that the service takes and the model answers in."""
        model = self._service.model
        forms = (TEXT,) if self._schema is None else ladder(self._litellm, model, self._known)
        for self._form in forms:
            last = self._form == forms[-1]
            try:
                await self._through_what_passes()
            except self._litellm.BadRequestError as error:
                if last or not is_about_the_form(said_by(error)):
                    raise Failed("refused", f"{model} refused the request: {said_by(error)}") from None
                continue
            # A model that has answered in this form before has said something else this time.
            if last or self._reply.refusal or self._form == self._known or holds_json(self._text) or self._cut_short:
                return

    async def _through_what_passes(self) -> None:
        """One answer, from a service that may be busy or broken for a while.

        Raises:
            litellm.BadRequestError: It refuses the request.
            Failed: There is none.
        """
        known, model, passes = self._litellm, self._service.model, passing(self._litellm)
        for attempt in range(1, TRIES + 1):
            try:
                return await self._request()
            except (Failed, TimeoutError):
                raise
            except known.ContextWindowExceededError as error:
                if self._goes_without_limit(error):
                    continue
                line = f"{model}: the question is too long for it; lower agent.memory_tokens, {PLAYBOOK}"
                raise Failed("context", line) from None
            except known.BadRequestError as error:
                if self._goes_without_limit(error):
                    continue
                if not self._service.streams or "stream" not in said_by(error).lower():
                    raise
                self._service.streams = False
            except passes as error:
                self._trouble = said_by(error)
                if LOOPS in self._trouble:
                    raise Failed("reply", "it says the same over and over") from None
                if attempt == TRIES:
                    line = f"{self._name} gave no answer in {TRIES} tries ({self._trouble}); see that it is there"
                    raise Failed("service", f"{line}, {PLAYBOOK}") from None
                await asyncio.sleep(self._pause(error, attempt))
            except (known.AuthenticationError, known.PermissionDeniedError):
                raise Failed("key", self._shut_out()) from None
            except known.NotFoundError as error:
                line = f"{self._name}: there is no such model, or no service: {said_by(error)}; correct agent.model"
                raise Failed("model", f"{line} or agent.api_base, {PLAYBOOK}") from None
            except Exception as error:
                raise Failed("service", f"{self._name} cannot be asked: {said_by(error)}") from None
        raise Failed("service", f"{self._name} gave no answer in {TRIES} tries")

    def _goes_without_limit(self, error: Exception) -> bool:
        """Whether it was the limit on the answer that was refused; the next request has none."""
        about_it = any(word in said_by(error).lower() for word in ("max_tokens", "completion", "output tokens"))
        refused, self._service.limits = self._service.limits and about_it, self._service.limits and not about_it
        return refused

    def _shut_out(self) -> str:
        """Why the service lets nobody in; its own words may quote a part of the key."""
        if missing := missing_keys(self._litellm, self._service.model):
            return f"{self._name} asks for a key: set {', '.join(missing)} in the environment, {PLAYBOOK}"
        return f"{self._service.model}: the key in the environment was refused; set another one, {PLAYBOOK}"

    def _pause(self, error: Exception, attempt: int) -> float:
        """Seconds until the next try: as the service says, else longer each time."""
        asked = asked_to_wait(error)
        if asked is None:
            return 0.5 * 2**attempt * random.uniform(0.5, 1.0)
        if asked > min(LONGEST_WAIT, self._until - time.monotonic()):
            raise Failed("busy", f"{self._service.model} asks to be left alone for {asked:.0f} s", asked) from None
        return asked

    async def _request(self) -> None:
        """One request; what it used is counted however it ends.

        Raises:
            Failed: The caps leave no room for it.
        """
        service = self._service
        try:
            self._out = self._room.out(self._tokens_in + self._tokens_out, self._usd, service.price)
        except Full as full:
            raise Failed("reply", f"{full}; {self._trouble or 'what came so far is not what was asked for'}") from None
        self._reply = Reply()
        more: Json = {"stream": True, "stream_options": {"include_usage": True}} if service.streams else {}
        more |= {"max_tokens": most_out(self._litellm, service.model, self._out)} if service.limits else {}
        response: Any = await self._litellm.acompletion(
            model=service.model, api_base=service.api_base, api_key=service.key, num_retries=0, max_retries=0,
            # Our own limit comes first: it is on the whole answer, not on the time between two pieces of it.
            timeout=self._seconds + 5, _skip_mcp_handler=True, **more,
            **request(self._form, self._messages, self._schema),
        )  # fmt: skip
        try:
            if service.streams:
                await self._listen(response)
            elif response.choices:
                self._reply.finish, self._reply.usage = response.choices[0].finish_reason, response.usage
                self._reply.take(response.choices[0].message)
                self._refuse_if_long()
        finally:
            if service.streams:
                await response.aclose()
            self._count()

    async def _listen(self, response: Any) -> None:
        reply = self._reply
        async for chunk in response:
            reply.usage = getattr(chunk, "usage", None) or reply.usage
            if not chunk.choices:
                continue
            reply.finish = chunk.choices[0].finish_reason or reply.finish
            reply.take(chunk.choices[0].delta)
            self._refuse_if_long()
            if time.monotonic() - self._said_at >= SAY_SECONDS and (said := reply.text[-2 * SAID :]):
                self._said_at = time.monotonic()
                # A key that the cut would go through is looked for whole.
                self._say({"saying": without_whole_keys(said)[-SAID:], "form": self._form})

    def _refuse_if_long(self) -> None:
        if self._reply.size > (most := most_bytes(self._out)):
            raise Failed("reply", f"it was cut off at {most:,} bytes; say it shorter")

    def _count(self) -> None:
        """Add what a request used: as the service says, else counted here, off the network."""
        usage = self._reply.usage
        if usage is not None:
            tokens_in, tokens_out = int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0)
        else:
            count: Callable[..., int] = self._litellm.token_counter
            tokens_in = count(model=self._service.model, messages=self._messages)
            tokens_out = count(model=self._service.model, text=self._reply.text)
        self._tokens_in += tokens_in
        self._tokens_out += tokens_out
        price = self._service.price(tokens_in, tokens_out, usage)
        self._priced, self._usd = self._priced and price is not None, self._usd + (price or 0.0)
