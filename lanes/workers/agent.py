"""The agent's process: questions to a language model come in as lines, and answers go out as lines, while they come.

The first line of the input says whom to ask (``model``, ``api_base``); the first of the output is ``ready``, with the
USD of a token in and out (null where nobody knows), or ``failed``, with which the process ends. Each further line is
a question (``id``, ``messages``, ``schema``, ``form``, ``room``, ``seconds``) or takes one back (``cancel``). Each
line of the output has the ``id`` of a question with what is being said (``saying``), or at last ``done`` or
``failed``. Questions are asked side by side. It ends by itself when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from checkpoints.records import Json
from lanes.tail import plain
from lanes.workers.agent_turn import PLAYBOOK, Failed, Service, Turn
from lanes.workers.json_lines import Lines, heard
from lanes.workers.litellm_client import CannotAsk, load, stand_in

MILLION = 1_000_000


async def serve(say: Lines) -> None:
    """Ask as questions come; ends with the process, or when nobody can be asked at all."""
    lines = heard()
    try:
        service = connect(**json.loads(await lines.get()))
    except Failed as failed:
        say.line({"failed": {"kind": failed.kind, "line": str(failed)}})
        return
    say.line({"ready": [_price(service, MILLION, 0), _price(service, 0, MILLION)]})
    turns: dict[int, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        while True:
            asked = json.loads(await lines.get())
            if (taken_back := turns.pop(asked.get("cancel"), None)) is not None:
                taken_back.cancel()
            elif "id" in asked:
                turns[asked["id"]] = task = tasks.create_task(_take(service, asked, say))
                task.add_done_callback(lambda _, number=asked["id"]: turns.pop(number, None))


def connect(model: str, api_base: str | None) -> Service:
    """Import litellm, which takes seconds, and see that the model can be asked.

    Raises:
        Failed: It is not installed, knows no such provider, or a key is missing.
    """
    try:
        litellm: Any = load()
    except ImportError as error:
        why = f"litellm cannot be imported ({plain(str(error))}); install it again, {PLAYBOOK}"
        raise Failed("service", why) from None
    try:
        litellm.get_llm_provider(model=model, api_base=api_base)
    except litellm.BadRequestError:
        example = "write it as litellm does, for example anthropic/…, openai/… or ollama/…"
        raise Failed("model", f"agent.model: {model} names no provider; {example}, {PLAYBOOK}") from None
    try:
        return Service(litellm, model, api_base, stand_in(litellm, model, api_base))
    except CannotAsk as missing:
        raise Failed("key", f"{missing}; set it, {PLAYBOOK}") from None


async def _take(service: Service, asked: Json, say: Lines) -> None:
    number = asked["id"]
    found = await Turn(service, asked, lambda said: say.line({"id": number} | said)).answer()
    say.line({"id": number} | found)


def _price(service: Service, tokens_in: int, tokens_out: int) -> float | None:
    """USD of one token."""
    price = service.price(tokens_in, tokens_out)
    return None if price is None else price / MILLION


if __name__ == "__main__":
    asyncio.run(serve(Lines()))
    os._exit(1)  # what a library left behind is not waited for
