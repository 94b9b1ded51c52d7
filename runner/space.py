"""The space of changes: which fields of a recipe an experiment may alter, and how far. Refused, never clamped.

Six controlled interfaces are open to whoever proposes, and nothing else:

==========  =============================================  =====================================================
interface   recipe fields                                  what else it stands for
==========  =============================================  =====================================================
data        ``data.*``: mix, filters, sample size, seed    –
training    ``training.*``, ``lora.*``                     within ``budget.seconds_per_training``
deployment  ``deployment.*``: how the model is served      –
evaluation  none: who judges and when it is enough stands  having a candidate judged, reading the verdict
memory      none                                           reading what was tried, adding hypotheses
cleanup     none                                           stop, release, remove; never what a verdict rests on
==========  =============================================  =====================================================

``method``, the model, the held-out rows and everything else in the program are closed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pydantic import ValidationError

from checkpoints.records import Change, Json
from lanes.recipe import Recipe
from runner.agent.categories import CATEGORIES, category_of
from runner.change import ChangeRefused, compose, contains, parts
from runner.fields import ENOUGH_DIGITS, Knob, get, inside, interface_of, kind_of, normal, token, value_schema
from runner.groups import GROUPS, goes_along
from runner.problems import shown

__all__ = ["ChangeRefused", "ChangeSpace", "Space"]

_MIX = "data.mix."


class ChangeSpace(Protocol):
    """What an experiment may change, and how far: fields of a recipe, or files of a script.

    A *recipe* is whatever a change is applied to and a training is made of: complete, as JSON.
    """

    @property
    def fields(self) -> Mapping[str, object]:
        """What is open, by the name that ``Change.field`` has."""
        ...

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories that a change may be of now, those that tend to matter most first."""
        ...

    def without(self, closed: Collection[str]) -> ChangeSpace:
        """The same space with some fields closed."""
        ...

    def check(self, change: Change, recipe: Json) -> None:
        """Say whether ``change`` could be made to ``recipe`` now.

        Raises:
            ChangeRefused: It could not, and why.
        """
        ...

    def apply(self, change: Change, recipe: Json) -> Json:
        """The recipe with the change made; ``recipe`` itself stays as it is.

        Raises:
            ChangeRefused: It cannot be made, and why.
        """
        ...

    def canonical(self, change: Change, recipe: Json | None = None) -> str:
        """A short hash: what comes to the same has the same one, however it is written and in whatever order.

        Args:
            recipe: What the change is applied to, where what it comes to depends on that.

        Raises:
            ChangeRefused: It is none that could be made.
        """
        ...

    def contains(self, change: Change, other: Change, recipe: Json) -> bool:
        """Whether a change makes all that another one makes, wherever the two start from.

        Args:
            change: That could be made to ``recipe``.
            other: That may no longer be one that could.
            recipe: What ``change`` is applied to.
        """
        ...

    def schema(self, recipe: Json) -> Json:
        """JSON schema of the ``change`` in a proposal, as ``change`` reads it: at least ``field`` and ``new``."""
        ...

    def change(self, raw: Json, recipe: Json) -> Change:
        """What somebody said, as a change of ``recipe`` that was checked.

        Args:
            raw: As ``schema`` describes it, but not to be trusted: a language model may have written it.

        Raises:
            ChangeRefused: It is no such thing, or could not be made; the text says what is wrong, for its author.
        """
        ...

    def describe(self, recipe: Json) -> str:
        """What is open and how it stands now, as lines for whoever proposes."""
        ...

    def category_of(self, change: Change) -> str:
        """The category that a change is of; empty where the change does not say, and whoever proposes does."""
        ...


@dataclass(frozen=True, slots=True)
class Space:
    """What an experiment may change in a training recipe, and how far."""

    fields: Mapping[str, Knob]
    """By the field's path in the recipe."""

    start: Json
    """The program's own recipe. A field that is null there may go back to null, whatever its range."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the fields that are open."""
        found = {category_of(field) for field in self.fields}
        return (*(each for each in CATEGORIES if each in found), *sorted(found - {*CATEGORIES}))

    def without(self, closed: Collection[str]) -> Space:
        """The same space with some fields closed."""
        if not closed:
            return self
        return Space({field: knob for field, knob in self.fields.items() if field not in closed}, self.start)

    def check(self, change: Change, recipe: Json) -> None:
        """Say whether ``change`` could be made to ``recipe`` now.

        Raises:
            ChangeRefused: it could not, and why.
        """
        self.apply(change, recipe)

    def apply(self, change: Change, recipe: Json) -> Json:
        """The recipe with the change made; ``recipe`` itself stays as it is.

        Args:
            change: old and new value of one field, and of what goes along with it by a group.
            recipe: complete recipe of the champion, as JSON.

        Raises:
            ChangeRefused: the field is unknown or outside the space, the value is out of range, the recipe already
                has it, the field no longer has the value that the change was proposed from, or what goes along is of
                no group of the field.
        """
        _check_one_variable(change)
        changed = recipe
        for part in parts(change):
            changed = _with(changed, part.field.split("."), self._new(part, recipe))
        try:
            changed = Recipe.model_validate(changed).model_dump(mode="json")
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ChangeRefused(f"{change.field}: {shown(change.new)} makes no recipe: {reason}") from None
        if change.field.startswith(_MIX) and _shares(changed) == _shares(recipe):
            new = get(changed, change.field)
            raise ChangeRefused(f"{change.field}: {shown(new)} leaves the mix as it is: no other source has a weight")
        return changed

    def canonical(self, change: Change, recipe: Json | None = None) -> str:
        """A short hash of fields and new values: the same change has the same one, however its numbers are written and
        whichever of its fields is named first. Of the mix, where the recipe is at hand, of the shares that it leads to.

        Raises:
            ChangeRefused: a field is unknown, or its value is none that it could have.
        """
        made = sorted(_made(part, recipe) for part in parts(change))
        return hashlib.sha256(json.dumps(made if change.also else made[0]).encode()).hexdigest()[:16]

    def contains(self, change: Change, other: Change, recipe: Json) -> bool:
        """Whether a change leads to all that another one leads to, by ``canonical``."""

        def made(part: Change) -> str:
            try:
                return self.canonical(part, recipe)
            except ChangeRefused:  # an old one may no longer come to anything, and is then the same as no other
                return f"none: {part}"

        return contains(change, other, made)

    def compose(self, first: Change, second: Change) -> Change | None:
        """Two changes in a row as one; None where the second takes back what the first did.

        Raises:
            ChangeRefused: they are of two variables, or the second does not start where the first ends.
        """
        return compose(first, second, goes_along, lambda field, value: token(normal(field, value)))

    def schema(self, recipe: Json) -> Json:
        """JSON schema of the ``change`` in a proposal: one of the open fields, its new value by its knob, and what
        goes along with it by a group."""
        return {"anyOf": [self._option(field) for field in self.fields]}

    def change(self, raw: Json, recipe: Json) -> Change:
        """What somebody said, as a change of ``recipe`` that was checked.

        Raises:
            ChangeRefused: it is no such thing, or could not be made.
        """
        said = _read(raw, "field, new and also")
        also: object = raw.get("also") or []
        if not isinstance(also, list):
            raise ChangeRefused(f"also: {shown(also)} is no list of changes, each with field and new")
        along = [_read(each, "field and new") for each in cast(list[object], also)]
        for field, _ in (said, *along):
            self._knob(field)
        first, *others = (Change(field, get(recipe, field), normal(field, new)) for field, new in (said, *along))
        change = Change(first.field, first.old, first.new, tuple(others))
        self.check(change, recipe)
        return change

    def describe(self, recipe: Json) -> str:
        """What is open and how it stands now: a line for each field, then the groups."""
        by_ratio = {"linear": "", "log": ", by ratio"}
        lines = [
            f"{field} ({category_of(field)}): now {_now(recipe, field)}; {knob}{by_ratio[knob.scale]}"
            for field, knob in self.fields.items()
        ]
        for field in self.fields:
            if along := self._along(field):
                lines.append(f"{field} may be altered with {' and '.join(along)}: {GROUPS[field].why}")
        return "\n".join(lines)

    def category_of(self, change: Change) -> str:
        """The category of the field that is altered first."""
        return category_of(change.field)

    def _new(self, part: Change, recipe: Json) -> Any:
        """The new value of one field as the recipe would hold it, if the space has it and it alters the recipe."""
        new = self._within(part)
        now = get(recipe, part.field)
        if token(now) == token(new):
            raise ChangeRefused(f"{part.field}: the champion's recipe already has {shown(now)}")
        if token(now) != token(normal(part.field, part.old)):
            stale = f"the change starts from {shown(part.old)}, the champion has {shown(now)}"
            raise ChangeRefused(f"{part.field}: {stale}")
        return new

    def _within(self, part: Change) -> Any:
        """The new value as the recipe would hold it, if the space has it."""
        new = normal(part.field, part.new)
        knob = self._knob(part.field)
        if new is None and get(self.start, part.field) is None:
            return new
        if not inside(knob, part.field, new):
            raise ChangeRefused(f"{part.field}: {shown(new)} is out of range; allowed: {knob}")
        return new

    def _knob(self, field: str) -> Knob:
        interface_of(field)
        kind_of(field)
        knob = self.fields.get(field)
        if knob is None:
            raise ChangeRefused(f"{field}: outside the space; open: {', '.join(self.fields) or 'nothing'}")
        return knob

    def _along(self, field: str) -> list[str]:
        """What may go along with a field and is open itself."""
        return [other for other in GROUPS[field].along if other in self.fields] if field in GROUPS else []

    def _option(self, field: str) -> Json:
        """JSON schema of a change of one field."""
        properties = self._said(field)
        if along := self._along(field):
            properties["also"] = {
                "type": "array",
                "description": f"Empty, or what has to go along: {GROUPS[field].why}",
                "items": {"anyOf": [_strict(self._said(other)) for other in along]},
            }
        return _strict(properties)

    def _said(self, field: str) -> Json:
        new = value_schema(self.fields[field], field, get(self.start, field) is None)
        return {"field": {"type": "string", "enum": [field]}, "new": new}


def _check_one_variable(change: Change) -> None:
    named = [part.field for part in parts(change)]
    for other in named[1:]:
        if not goes_along(change.field, other):
            along = GROUPS[change.field].along if change.field in GROUPS else ()
            may = f"with {change.field} may go {', '.join(along)}" if along else f"{change.field} is altered alone"
            raise ChangeRefused(f"two variables: {change.field} and {other}; {may}")
    if len({*named}) < len(named):
        raise ChangeRefused(f"{', '.join(named)}: a field is named twice")


def _now(recipe: Json, field: str) -> str:
    try:
        return shown(get(recipe, field))
    except ChangeRefused:
        return "nothing"  # a recipe that was stored before the field existed


def _read(raw: object, wanted: str) -> tuple[str, object]:
    """Field and new value of what somebody said."""
    said = cast(Json, raw) if isinstance(raw, dict) else {}
    field = said.get("field")
    if not isinstance(field, str) or "new" not in said:
        raise ChangeRefused(f"a change is an object with {wanted}, not {shown(cast(object, raw))}")
    return field, said["new"]


def _strict(properties: Json) -> Json:
    """An object that has all of these and nothing else, as providers' strict modes want it."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _made(part: Change, recipe: Json | None) -> list[str]:
    """What one field comes to, in words that are the same where it comes to the same."""
    new = normal(part.field, part.new)
    if recipe is None or not part.field.startswith(_MIX):
        return [part.field, token(new)]
    mix = recipe["data"]["mix"] | {part.field.removeprefix(_MIX): new}
    return [_MIX, json.dumps(_shares({"data": {"mix": mix}}), sort_keys=True)]


def _shares(recipe: Json) -> dict[str, float]:
    """What part of the rows each source gives."""
    mix: dict[str, float] = recipe["data"]["mix"]
    return {name: round(weight / sum(mix.values()), ENOUGH_DIGITS) for name, weight in mix.items() if weight}


def _with(recipe: Json, path: list[str], value: Any) -> Json:
    head, *rest = path
    return {**recipe, head: _with(recipe[head], rest, value) if rest else value}
