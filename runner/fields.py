"""One field of a recipe: where it is, what it can hold, and how far a knob lets it go. Refused, never clamped."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from checkpoints.records import Json
from lanes.recipe import Number, Recipe
from runner.change import ChangeRefused
from runner.problems import allowed, did_you_mean, shown

ENOUGH_DIGITS = 12
"""Significant digits by which two numbers are told apart: 0.1 + 0.2 is 0.3."""


class Interface(StrEnum):
    """What is open to whoever proposes."""

    DATA = "data"
    TRAINING = "training"
    DEPLOYMENT = "deployment"
    EVALUATION = "evaluation"
    MEMORY = "memory"
    CLEANUP = "cleanup"


_INTERFACES = {
    "data": Interface.DATA,
    "training": Interface.TRAINING,
    "lora": Interface.TRAINING,
    "deployment": Interface.DEPLOYMENT,
}


class Knob(BaseModel):
    """How far one field may be altered: between two numbers, or among choices."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"allowed": "{min: …, max: …}, {min: …, max: …, scale: log} or {choices: […, …]}"},
    )

    min: Number | None = None
    max: Number | None = None
    scale: Literal["linear", "log"] = "linear"
    """How a step is measured: by difference or by ratio."""

    choices: Annotated[
        tuple[Any, ...] | None,
        Field(min_length=2, json_schema_extra={"allowed": "a list of at least two values"}),
    ] = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Knob:
        if self.choices is not None:
            if self.min is not None or self.max is not None or "scale" in self.model_fields_set:
                raise ValueError("takes either choices or min and max, not both")
        elif self.min is None or self.max is None:
            raise ValueError("needs both min and max, or choices")
        elif self.min >= self.max:
            raise ValueError(f"min {self.min:g} is not below max {self.max:g}")
        elif self.scale == "log" and self.min <= 0:
            raise ValueError("scale: log needs a min above 0")
        return self

    def __str__(self) -> str:
        if self.choices is not None:
            return "one of " + ", ".join(shown(choice) for choice in self.choices)
        return f"{self.min:g} to {self.max:g}"


def interface_of(field: str) -> Interface:
    """The controlled interface that a recipe field belongs to.

    Raises:
        ChangeRefused: the field belongs to none.
    """
    interface = _INTERFACES.get(field.split(".")[0])
    if interface is None:
        raise ChangeRefused(f"{field}: not open to change; open are {', '.join(f'{part}.*' for part in _INTERFACES)}")
    return interface


def get(recipe: Json, path: str) -> Any:
    """The value at a dotted path of a recipe.

    Raises:
        ChangeRefused: the recipe has no such field.
    """
    value: Any = recipe
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ChangeRefused(f"{path}: the recipe has no such field")
        value = cast(Json, value)[part]
    return value


def normal(field: str, value: object) -> Any:
    """``value`` as the recipe would hold it, as JSON: ``"1e-4"`` and ``1e-4`` are the same number.

    Raises:
        ChangeRefused: the recipe has no such field, or the field cannot have this value.
    """
    interface_of(field)
    adapter = _adapter(field)
    try:
        return adapter.dump_python(adapter.validate_python(value), mode="json")
    except ValidationError:
        can_be = allowed(adapter.json_schema())
        raise ChangeRefused(f"{field}: {shown(value)} does not fit; allowed: {can_be}") from None


def inside(knob: Knob, field: str, value: Any) -> bool:
    """Whether a value, as the recipe holds it, lies within a knob's range or among its choices."""
    if knob.choices is not None:
        return token(value) in _tokens(field, json.dumps(knob.choices, default=str))
    if knob.min is None or knob.max is None or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return knob.min <= value <= knob.max


@cache
def kind_of(field: str) -> Literal["float", "whole", "other"]:
    """Whether a recipe field holds a float, a whole number or something else (its knob then has choices).

    Raises:
        ChangeRefused: the recipe has no such field.
    """
    schema = _adapter(field).json_schema()
    types = {option.get("type") for option in schema.get("anyOf", [schema])}
    return "float" if "number" in types else "whole" if "integer" in types else "other"


def value_schema(knob: Knob, field: str, nullable: bool) -> Json:
    """JSON schema of the values that a knob allows a field.

    Args:
        nullable: Whether null is allowed whatever the range.
    """
    if knob.choices is not None:
        values = [normal(field, choice) for choice in knob.choices]
        return {"enum": values if not nullable or None in values else [*values, None]}
    kind = "integer" if kind_of(field) == "whole" else "number"
    said: Json = {"type": [kind, "null"] if nullable else kind, "minimum": knob.min, "maximum": knob.max}
    return said | {"description": "steps are ratios"} if knob.scale == "log" else said


@cache
def _adapter(field: str) -> TypeAdapter[Any]:
    """What validates one field of a recipe, found by its path."""
    model: Any = Recipe
    for part in field.split("."):
        if isinstance(model, type) and issubclass(model, BaseModel):
            info = model.model_fields.get(part)
            if info is None:
                raise ChangeRefused(f"{field}: the recipe has no such field{did_you_mean(part, model.model_fields)}")
            model = info.rebuild_annotation()
        elif get_origin(model) is dict:
            model = get_args(model)[1]
        else:
            raise ChangeRefused(f"{field}: the recipe has no such field")
    if get_origin(model) is dict or (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ChangeRefused(f"{field}: a part of the recipe, not a field; a change alters one field")
    return TypeAdapter(cast(Any, model))


@lru_cache(maxsize=256)
def _tokens(field: str, choices: str) -> list[Any]:
    """What makes the choices of a knob the same as a value; kept, as every proposal is checked against them.

    Args:
        choices: As JSON: a list of choices may hold lists, which no cache takes.
    """
    return [token(normal(field, choice)) for choice in json.loads(choices)]


def token(value: Any) -> Any:
    """What makes two values the same: numbers by their first digits, lists whatever their order."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return ["number", str(value)]
    if isinstance(value, float):
        return ["number", f"{value + 0.0:.{ENOUGH_DIGITS}g}"]
    if isinstance(value, list):
        return sorted((token(each) for each in cast(list[Any], value)), key=str)
    return value
