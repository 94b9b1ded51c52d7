"""The deployed model in OpenAI's form: any client of OpenAI's is a product, and an answer says who gave it."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from starlette.responses import Response

from checkpoints.records import Json
from lanes.arena.answers import Answers, NoAnswer, Question, question
from lanes.arena.battle_body import Completion, CompletionRequest, Models, Role, Served, json_object, turns
from lanes.arena.door import PRODUCTS, Asked, Door
from lanes.arena.duel import Patience, ask_all
from lanes.arena.events import Events, Say, unnamed, while_there
from lanes.arena.lineup import Lineup
from lanes.arena.problems import Problem
from lanes.arena.service import Service

RETRY_SECONDS = 2.0
"""When to ask again, for who found no model that answers."""

_DONE = "data: [DONE]\n\n"


def doors(service: Service, answers: Answers, patience: Patience) -> Iterable[Door]:
    """Where the deployed model is asked.

    Args:
        service: Of the arena.
        answers: Asks the models.
        patience: How long they have.
    """
    chat = _Chat(service, answers, patience)
    yield Door(
        "POST", "/v1/chat/completions", chat.complete, PRODUCTS, "Ask the deployed model, as one asks OpenAI's.",
        takes=CompletionRequest, gives={200: Completion}, streams=True, fails=(404, 503),
    )  # fmt: skip
    yield Door("GET", "/v1/models", chat.models, PRODUCTS, "What is deployed, by role.", gives={200: Models})


class _Chat:
    def __init__(self, service: Service, answers: Answers, patience: Patience) -> None:
        self._service, self._answers, self._patience = service, answers, patience
        self._chance = random.Random()

    async def models(self, _: Asked) -> Response:
        """``GET /v1/models``."""
        lineup = self._service.lineup
        roles = _roles(lineup) if lineup and lineup.server else {}
        served = Models(data=tuple(Served(id=role, model=name) for role, name in roles.items()))
        return Response(served.model_dump_json(), media_type="application/json")

    async def complete(self, asked: Asked) -> Response:
        """``POST /v1/chat/completions``."""
        wanted = CompletionRequest.model_validate(json_object(asked.body))
        lineup = self._service.lineup
        if lineup is None or lineup.server is None:
            raise Problem(503, "no_model", "no model is deployed now", retry_after=RETRY_SECONDS)
        server = lineup.server
        model = _roles(lineup).get(wanted.model)
        if model is None:
            raise Problem(404, "unknown_model", f"there is no {wanted.model} model now", "model")
        self._service.wanted.used()
        put = self._question(wanted, lineup, model)
        if wanted.stream:
            return Events(lambda say: self._tell(server, put, say))
        said = await while_there(asked.request.receive, self._whole(server, put))
        return Response(said.model_dump_json(), media_type="application/json")

    def _question(self, wanted: CompletionRequest, lineup: Lineup, model: str) -> Question:
        """The model as it was judged, but for what the client says."""
        seed = self._chance.getrandbits(62) if wanted.seed is None else wanted.seed
        put = question(lineup, model, turns(wanted.messages), seed)
        said = {
            "temperature": wanted.temperature,
            "top_p": wanted.top_p,
            "max_new_tokens": wanted.max_tokens,
        }
        update = {name: value for name, value in said.items() if value is not None}
        return replace(put, settings=put.settings.model_copy(update=update))

    async def _whole(self, server: Path, put: Question) -> Completion:
        try:
            async with asyncio.timeout(self._patience.whole):
                return Completion.model_validate(await self._answers.completion(server, put), strict=False)
        except NoAnswer as error:
            raise _problem(str(error), error.refused) from error
        except TimeoutError as error:
            raise _problem(f"no whole answer after {self._patience.whole:.0f} s", refused=False) from error
        except ValidationError as error:
            raise _problem("it is in no form that is known", refused=False) from error

    async def _tell(self, server: Path, put: Question, say: Say) -> None:
        head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion.chunk", "created": int(time.time()),
            "model": put.model,
        }  # fmt: skip
        begun = False

        def chunk(delta: Json, finish: str | None = None) -> None:
            say(unnamed(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))

        def hear(_: str, piece: str | None) -> None:
            nonlocal begun
            if piece is not None:
                chunk({"content": piece} if begun else {"role": "assistant", "content": piece})
                begun = True

        said = (await ask_all({"a": self._answers.pieces(server, put)}, self._patience, hear))["a"]
        if not said.failure:
            chunk({}, "stop")
            say(_DONE)
        elif begun:
            say(unnamed(_problem(said.failure, said.refused).body))
        else:
            raise _problem(said.failure, said.refused)


def _roles(lineup: Lineup) -> dict[Role, str]:
    roles: dict[Role, str | None] = {
        "serving": lineup.promoted or lineup.champion,
        "champion": lineup.champion,
        "promoted": lineup.promoted,
        "reference": lineup.reference,
    }
    return {role: name for role, name in roles.items() if name}


def _problem(line: str, refused: bool) -> Problem:
    if refused:
        return Problem(422, "unanswerable", f"the model does not take this: {line}")
    print(f"the deployed model gives no answer: {line}", flush=True)
    return Problem(503, "no_answer", "no model answers now: ask again in a moment", retry_after=RETRY_SECONDS)
