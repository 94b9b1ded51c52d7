"""What the model server takes and gives, in OpenAI's shapes; vLLM's names for loading adapters."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.responses import JSONResponse, Response

from lanes.workers.chat import Ask, Refused, Said, Unknown
from lanes.workers.failures import one_line

Name: TypeAlias = Annotated[str, Field(max_length=200)]
"""Of a model; a refusal says it again, so it is bounded."""


class _Request(BaseModel):
    """What is asked; a field that would be ignored is refused instead, and so is a number that is a text or a truth."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Message(_Request):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class StreamOptions(_Request):
    """How an answer is streamed."""

    include_usage: bool = False
    """One more chunk at the end, with the tokens read and written."""


class ChatRequest(_Request):
    """``POST /v1/chat/completions``."""

    model: Name
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    max_tokens: Annotated[
        int, Field(ge=1, le=32_768, validation_alias=AliasChoices("max_tokens", "max_completion_tokens"))
    ] = 256
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(default_factory=lambda: secrets.randbits(62))
    """The same request with the same seed has the same answer."""

    n: Literal[1] = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = None

    @model_validator(mode="after")
    def _only_a_stream_has_options(self) -> Self:
        if self.stream_options and not self.stream:
            raise ValueError("stream_options are for streams: leave them out, or set stream")
        return self

    def ask(self) -> Ask:
        """The request as the models take it."""
        turns = tuple({"role": turn.role, "content": turn.content} for turn in self.messages)
        return Ask(self.model, turns, self.temperature, self.top_p, self.max_tokens, self.seed)


class LoadRequest(_Request):
    """``POST /v1/load_lora_adapter``."""

    lora_name: Name
    lora_path: Annotated[str, Field(max_length=4096)]
    """Folder on the server's machine; a folder without ``adapter_config.json`` is a whole model."""


class UnloadRequest(_Request):
    """``POST /v1/unload_lora_adapter``."""

    lora_name: Name


def chat_answer(request: ChatRequest, said: Said) -> Response:
    """One answer as a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": said.text}, "finish_reason": said.finish}
    return JSONResponse(head(request, "chat.completion") | {"choices": [choice], "usage": usage(said)})


def head(request: ChatRequest, kind: str) -> dict[str, str | int]:
    """What a completion and every chunk of one begin with; the model is the one that answers."""
    identity = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": identity, "object": kind, "created": int(time.time()), "model": request.model}


def usage(said: Said) -> dict[str, int]:
    """Tokens read and written."""
    total = said.prompt_tokens + said.completion_tokens
    return {
        "prompt_tokens": said.prompt_tokens, "completion_tokens": said.completion_tokens, "total_tokens": total
    }  # fmt: skip


def model_list(names: list[str]) -> Response:
    """What can be asked."""
    return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def failed(
    status: int,
    message: str,
    kind: str = "invalid_request_error",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A failure in OpenAI's format."""
    return JSONResponse(failure(status, message, kind, param), status_code=status, headers=headers)


def failure(status: int, message: str, kind: str, param: str | None = None) -> dict[str, object]:
    """What a failure says, as a response or as an event of a stream."""
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def refused(error: Refused, field: str) -> Response:
    """A request that cannot be met; 404 where ``field`` names a model that is not there."""
    unknown = isinstance(error, Unknown)
    return failed(404 if unknown else 400, str(error), param=field if unknown else None)


def first_problem(error: ValidationError) -> tuple[str, str, str | None]:
    """What is wrong with a request: message, type and field."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    text = f"{field}: {problem['msg']}" if field else problem["msg"]
    return one_line(text), "invalid_request_error", one_line(field) if field else None
