"""What a battle and a chat look like on their way in, and what is answered: the types that check both."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import from_json

from checkpoints.text import clean
from lanes.arena.problems import Problem
from lanes.arena.vote_body import Name


def _whole(value: object) -> object:
    # JSON has one kind of number: 3.0 is as whole as 3.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = BeforeValidator(_whole)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Turn(_Part):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


Conversation = Annotated[list[Turn], Field(min_length=1)]


class _Request(_Part):
    voter: Name | None = None
    """Who is going to vote, where the product knows by now; it is said again with the vote, and not kept here."""

    consent: bool = False
    """The user agrees that prompt and answers become training data."""

    stream: bool = False
    """Answer in Server-Sent Events while the models speak."""


class PromptRequest(_Request):
    """A battle on what a user says, without anything before it."""

    prompt: Annotated[str, Field(min_length=1)]


class ChatRequest(_Request):
    """A battle on a conversation; what comes next is answered."""

    messages: Conversation


class Answer(_Part):
    """One answer."""

    id: Literal["a", "b"]
    """What a vote for it says; the order in which the two are to be shown."""

    text: str
    model: str | None = None
    """Who says it, where there is nothing to vote on; a battle is blind."""


class Battle(_Part):
    """The answers to show."""

    battle: str | None
    """What a vote names; null where one answer stands alone and no vote is asked for."""

    answers: Annotated[tuple[Answer, ...], Field(min_length=1, max_length=2)]


Role = Literal["serving", "champion", "promoted", "reference"]


class CompletionRequest(_Part):
    """``POST /v1/chat/completions``, in OpenAI's form; a field that would be ignored is refused instead."""

    model: Role = "serving"
    """serving: the promoted model, or the champion while there is none."""

    messages: Conversation
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    """Left out, as it was when the model was judged; so are ``top_p`` and ``max_tokens``."""

    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=32_768), _Whole] | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens")
    )
    seed: Annotated[int, Field(ge=0, lt=2**63), _Whole] | None = None
    n: Annotated[int, Field(ge=1, le=1), _Whole] = 1
    stream: bool = False
    user: str | None = None


class Message(_Part):
    """What the model says."""

    role: Literal["assistant"]
    content: str


class CompletionChoice(_Part):
    """The one answer."""

    index: Literal[0]
    message: Message
    finish_reason: Literal["stop", "length"]


class Usage(_Part):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(_Part):
    """The answer in OpenAI's form."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    """Name of the model that answers, never its role."""

    choices: tuple[CompletionChoice]
    usage: Usage


class Served(_Part):
    """One model that can be asked for."""

    id: Role
    object: Literal["model"] = "model"
    model: str
    """Its name."""


class Models(_Part):
    """What is served, by role; candidates are not named."""

    object: Literal["list"] = "list"
    data: tuple[Served, ...]


def json_object(body: bytes) -> dict[str, Any]:
    """What was sent.

    Raises:
        Problem: 400 where it is no JSON, 422 where it is no object.
    """
    try:
        said = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "not_json", f"the body is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise Problem(422, "invalid", "send a JSON object")
    return cast(dict[str, Any], said)


def turns(messages: list[Turn]) -> tuple[dict[str, str], ...]:
    """A conversation as the models take it, without what no text of a person has in it."""
    return tuple({"role": turn.role, "content": clean(turn.content)} for turn in messages)
