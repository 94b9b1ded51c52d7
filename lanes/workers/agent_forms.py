"""The forms in which a model can be asked for JSON, the strictest first, and what each adds to a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from checkpoints.records import Json

TEXT = "text"
"""Words, where no schema is given."""

JSON_SCHEMA, TOOL, JSON_MODE, FENCED = "json_schema", "tool", "json_mode", "fenced"
FORMS = (JSON_SCHEMA, TOOL, JSON_MODE, FENCED)
"""The schema is enforced; it is that of a tool; the answer is some JSON; it is in a fenced block of a text."""

NAME = "answer"

_NEEDS = {
    JSON_SCHEMA: frozenset({"response_format"}),
    TOOL: frozenset({"tools", "tool_choice"}),
    JSON_MODE: frozenset({"response_format"}),
    FENCED: frozenset[str](),
}

_SAID_OF_A_FORM = ("response_format", "json", "schema", "tool", "function", "format", "support", "grammar")
"""Words of a service that does not take a form."""


def ladder(litellm: Any, model: str, known: str | None) -> tuple[str, ...]:
    """The forms to try in turn.

    Args:
        litellm: The library; it knows which parameters a provider has at all.
        model: litellm model string.
        known: A form that the model has answered in; None while nobody knows.
    """
    parameters = set(litellm.get_supported_openai_params(model=model) or ())
    forms = FORMS[FORMS.index(known) :] if known in FORMS else FORMS
    return tuple(form for form in forms if _NEEDS[form] <= parameters)


def request(form: str, messages: Sequence[Json], schema: Json | None) -> Json:
    """Arguments of a completion that asks in a form."""
    if schema is None:
        return {"messages": [*messages]}
    if form == JSON_SCHEMA:
        of_it = {"name": NAME, "schema": schema, "strict": is_strict(schema)}
        return {"messages": [*messages], "response_format": {"type": "json_schema", "json_schema": of_it}}
    if form == TOOL:
        function = {"name": NAME, "description": "Gives the answer.", "parameters": schema}
        return {
            "messages": [*messages],
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": NAME}},
        }
    in_words = "one JSON object that fits this JSON schema, and nothing else"
    if form == FENCED:
        in_words = "one block between ```json and ```, which holds one JSON object that fits this JSON schema"
    told = _with(messages, f"Answer with {in_words}:\n{json.dumps(schema, ensure_ascii=False)}")
    return {"messages": told} | ({"response_format": {"type": "json_object"}} if form == JSON_MODE else {})


def is_about_the_form(refusal: str) -> bool:
    """Whether a service that calls a request bad speaks of its form."""
    return any(word in refusal.lower() for word in _SAID_OF_A_FORM)


def is_strict(schema: object) -> bool:
    """Whether services that enforce a schema strictly take it: objects name all their fields and need them."""
    if isinstance(schema, list):
        return all(is_strict(each) for each in cast(list[object], schema))
    if not isinstance(schema, dict):
        return True
    known = cast(Json, schema)
    if known.get("type") == "object" or "properties" in known:
        fields: Json = known.get("properties", {})
        if known.get("additionalProperties") is not False or set(known.get("required", ())) != set(fields):
            return False
    return all(is_strict(each) for each in known.values())


def _with(messages: Sequence[Json], told: str) -> list[Json]:
    """Messages with something said at their end; some models take no two of one role in a row."""
    *before, last = messages
    if last["role"] == "user":
        return [*before, {**last, "content": f"{last['content']}\n\n{told}"}]
    return [*messages, {"role": "user", "content": told}]
