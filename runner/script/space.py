"""The space of a script: the text of one file that may be edited, in blocks or as a whole. Refused, never mended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from checkpoints.records import Change, Json
from checkpoints.text import clean
from lanes.script.edits import EditRefused, Patch, apply, digest, patch_of
from runner.agent.quoting import fenced, shortened
from runner.change import ChangeRefused
from runner.problems import shown
from runner.script.moved import moved, moved_by

CATEGORIES = (
    "architecture", "optimiser", "schedule", "capacity", "data", "loss", "regularisation", "adapter", "code",
)  # fmt: skip
"""Categories of an edit, by its proposer's word; ``code`` is what alters how something is done and not what."""

MOST_SHOWN = 120_000
"""Characters of all files together that are put into a prompt; what is longer is left out in its middle."""

_NAME = 200
"""Characters of a name that somebody made up."""


@dataclass(frozen=True, slots=True)
class FileSpace:
    """What an experiment may change in a script."""

    editable: Sequence[str]
    """Paths from the program's folder."""

    @property
    def fields(self) -> Mapping[str, object]:
        """The files that are open."""
        return dict.fromkeys(self.editable)

    @property
    def categories(self) -> tuple[str, ...]:
        """Any: no file is of one category."""
        return CATEGORIES

    def without(self, closed: Collection[str]) -> FileSpace:
        """The same space with some files closed."""
        return FileSpace([path for path in self.editable if path not in closed]) if closed else self

    def check(self, change: Change, recipe: Json) -> None:
        """Say whether ``change`` could be made to ``recipe`` now.

        Raises:
            ChangeRefused: It could not, and why.
        """
        self.apply(change, recipe)

    def apply(self, change: Change, recipe: Json) -> Json:
        """The recipe with the edit made; ``recipe`` itself stays as it is.

        Blocks are looked for in the file as it is now. A whole text stands on the file that its author saw: on another
        one it would take back what was kept since.

        Raises:
            ChangeRefused: The file is not open, a block does not fit, nothing changes, or the file is another one now.
        """
        if change.also:
            raise ChangeRefused(f"{change.field}: one file is edited at a time")
        text, patch = self._text(change.field, recipe), _patch(change)
        if patch.whole is not None and change.old != digest(text):
            raise ChangeRefused(f"{change.field}: the whole text stands on a file that was changed since")
        try:
            made = apply(text, patch)
        except EditRefused as refused:
            raise ChangeRefused(f"{change.field}: {refused}") from None
        if digest(made) == digest(text):
            raise ChangeRefused(f"{change.field}: only blank lines, or blanks at the ends of lines, change")
        return {"files": _files(recipe) | {change.field: made}, "commit": recipe.get("commit")}

    def canonical(self, change: Change, recipe: Json | None = None) -> str:
        """A short hash of the lines that come and go: the same in blocks or as a whole, and on whichever champion.

        Raises:
            ChangeRefused: It is none that could be made.
        """
        if recipe is None:
            token = json.dumps([change.field, _patch(change).as_json()], sort_keys=True)
        else:
            before, after = self._text(change.field, recipe), _files(self.apply(change, recipe))[change.field]
            lines = moved(before, after)
            token = json.dumps([change.field, lines.gone, lines.come])
        return hashlib.sha256(token.encode()).hexdigest()[:16]

    def contains(self, change: Change, other: Change, recipe: Json) -> bool:
        """Whether an edit moves all lines that another one moves, whatever else it does.

        Raises:
            ChangeRefused: The edit cannot be made.
        """
        return self.makes(recipe, self.apply(change, recipe), other)

    def makes(self, before: Json, after: Json, other: Change) -> bool:
        """Whether all lines that an edit moves come and go from one recipe's file to another's."""
        old, new = (_files(recipe).get(other.field) for recipe in (before, after))
        if old is None or new is None:
            return False
        patch = _patch(other)
        by_blocks = patch.whole is None and moved(old, new).holds(moved_by(patch.edits))
        try:
            as_it_is = moved(old, _files(self.apply(other, before))[other.field])
        except ChangeRefused:  # what it was made for is no longer there
            return by_blocks
        return by_blocks or moved(old, new).holds(as_it_is)

    def schema(self, recipe: Json) -> Json:
        """JSON schema of the ``change`` in a proposal: one file, and its edits or its whole new text."""
        text = {"type": "string"}
        block = _strict({"search": text, "replace": text})
        edits = _strict({"edits": {"type": "array", "items": block}})
        whole = _strict({"whole": text})
        return _strict({"field": {"type": "string", "enum": [*self.editable]}, "new": {"anyOf": [edits, whole]}})

    def change(self, raw: Json, recipe: Json) -> Change:
        """What somebody said, as an edit that was checked.

        Raises:
            ChangeRefused: It is no such thing, or could not be made; the text says what is wrong, for its author.
        """
        field = raw.get("field")
        if not isinstance(field, str) or "new" not in raw:
            raise ChangeRefused(f"a change is an object with field and new, not {shown(raw)}")
        if raw.get("also"):
            raise ChangeRefused(f"{field}: one file is edited at a time")
        change = Change(field, digest(self._text(field, recipe)), raw["new"])
        patch = _patch(change)
        if patch.whole is not None and len(self._text(field, recipe)) > self._room:
            raise ChangeRefused(f"{field}: is shown without its middle: give edits, a whole text would lose it")
        change = Change(field, change.old, patch.as_json())
        self.check(change, recipe)
        return change

    def describe(self, recipe: Json) -> str:
        """What may be edited, how, and the files as they are now, character by character, for edits are copied."""
        texts = {path: shortened(self._text(path, recipe), self._room) for path in self.editable}
        files = [fenced(text, f"the file {path}, as it is now") for path, text in texts.items()]
        return "\n".join(
            [
                "One of these files is edited at a time, all other files are closed: " + ", ".join(self.editable),
                "`edits` are blocks in their order: `search` is copied from the file with its indentation and stands"
                " there exactly once, `replace` comes in its place. `whole` is the new text of the whole file.",
                "Simplicity counts: what is as good within the noise with fewer lines is kept, too.",
                *files,
            ]
        )

    def category_of(self, change: Change) -> str:
        """Empty: whoever edits says what kind of edit it is."""
        return ""

    @property
    def _room(self) -> int:
        """Most characters that are shown of one file."""
        return MOST_SHOWN // max(len(self.editable), 1)

    def _text(self, path: str, recipe: Json) -> str:
        text = _files(recipe).get(path)
        if path not in self.editable or text is None:
            raise ChangeRefused(
                f"{clean(path)[:_NAME]}: is not open to edits; open: {', '.join(self.editable) or 'nothing'}"
            )
        return text


def files_of(recipe: Json) -> dict[str, str]:
    """The texts of a recipe's files, by path."""
    return dict(_files(recipe))


def _files(recipe: Json) -> dict[str, str]:
    return cast(dict[str, str], recipe.get("files", {}))


def _patch(change: Change) -> Patch:
    try:
        return patch_of(change.new)
    except EditRefused as refused:
        raise ChangeRefused(f"{change.field}: {refused}") from None


def _strict(properties: Json) -> Json:
    """An object that has all of these and nothing else, as providers' strict modes want it."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
