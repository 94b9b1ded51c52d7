"""The algebra of a file's edits: apply, take back, put together, measure, recognise. Texts in, texts out."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, cast

from checkpoints.records import Json

MOST_BYTES = 1 << 20
"""A file larger than that is no script."""

MOST_EDITS = 100

_SHOWN = 60
"""Characters of a search text that a message quotes."""


class EditRefused(Exception):
    """The edits cannot be made; the message says why, for who proposed them."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One block: where ``search`` stands, exactly once, ``replace`` comes."""

    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class Patch:
    """What is done to one file: blocks, each on what those before it have left, or another text altogether."""

    edits: tuple[Edit, ...] = ()
    whole: str | None = None

    def as_json(self) -> Json:
        """As a change's new value has it."""
        if self.whole is not None:
            return {"whole": self.whole}
        return {"edits": [{"search": edit.search, "replace": edit.replace} for edit in self.edits]}


@dataclass(frozen=True, slots=True)
class Size:
    """How much a change alters, in lines that are not blank."""

    added: int
    removed: int

    @property
    def net(self) -> int:
        """Lines more than before; below 0 is simpler."""
        return self.added - self.removed


def patch_of(new: Any) -> Patch:
    """A patch from a change's new value.

    Raises:
        EditRefused: It is neither ``{"edits": [{"search": …, "replace": …}, …]}`` nor ``{"whole": …}``.
    """
    found = cast(Json, new) if isinstance(new, dict) else {}
    match found:
        case {"whole": str(text)} if len(found) == 1:
            return Patch(whole=text)
        case {"edits": list()} if len(found) == 1 and found["edits"]:
            blocks = cast(list[Any], found["edits"])
            if len(blocks) > MOST_EDITS:
                raise EditRefused(f"{len(blocks)} edits are more than {MOST_EDITS}: give the whole file")
            return Patch(tuple(_edit(number, block) for number, block in enumerate(blocks, 1)))
        case _:
            raise EditRefused('a change of a file is {"edits": [{"search", "replace"}, …]} or {"whole": text}')


def apply(text: str, patch: Patch) -> str:
    """The text after the patch, with the line ends that it had.

    Raises:
        EditRefused: It does not fit, changes nothing, or what comes out is no script.
    """
    _check(text, "the file")
    made = _edited(text, patch.edits) if patch.whole is None else _with_line_ends_of(text, patch.whole)
    if made == text:
        raise EditRefused("nothing changes: the text after the edit is the text before it")
    _check(made, "the text after the edit")
    return made


def invert(text: str, patch: Patch) -> Patch:
    """The patch that makes of ``apply(text, patch)`` the text again.

    Raises:
        EditRefused: As ``apply`` does.
    """
    made = apply(text, patch)
    back = Patch(tuple(Edit(edit.replace, edit.search) for edit in reversed(patch.edits)))
    try:
        if patch.whole is None and apply(made, back) == text:
            return back
    except EditRefused:
        pass  # what was put in stands there more than once, or is empty
    return Patch(whole=text)


def compose(text: str, first: Patch, then: Patch) -> Patch:
    """One patch that does to the text what the two do one after the other.

    Raises:
        EditRefused: One of them does not fit, or the second takes back the first.
    """
    made = apply(apply(text, first), then)
    if made == text:
        raise EditRefused("nothing changes: the second takes back the first")
    if first.whole is None and then.whole is None:
        return Patch(first.edits + then.edits)
    return Patch(whole=made)


def digest(text: str) -> str:
    """Short hash of what a text says: blanks at the ends of lines, blank lines and line ends make no difference."""
    return hashlib.sha256("\n".join(_lines(text)).encode()).hexdigest()[:16]


def size(before: str, after: str) -> Size:
    """How many lines that are not blank came and went."""
    old, new = _lines(before), _lines(after)
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    old, new = old[start:], new[start:]
    end = next((at for at, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b), None)
    end = min(len(old), len(new)) if end is None else end
    old, new = old[: len(old) - end], new[: len(new) - end]
    same = sum(block.size for block in difflib.SequenceMatcher(None, old, new, False).get_matching_blocks())
    return Size(len(new) - same, len(old) - same)


def difference(before: str, after: str, file: str) -> str:
    """A unified diff, for a person."""
    old, new = _unix(before).splitlines(True), _unix(after).splitlines(True)
    lines = difflib.unified_diff(old, new, f"a/{file}", f"b/{file}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def decode(content: bytes, file: str) -> str:
    """The text of a file.

    Raises:
        EditRefused: It is none, or too long.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise EditRefused(f"{file} is not UTF-8 (byte {error.start}): it cannot be edited") from None
    _check(text, file)
    return text


def is_allowed(file: str, editable: Sequence[str]) -> bool:
    """Whether a file is among those that may be edited.

    Args:
        file: Path as git writes it, from the program's folder.
        editable: Paths; ``*`` and ``?`` stand for characters of one name, ``**`` for any folders.
    """
    parts = file.split("/")
    plain = file == str(PurePosixPath(file)) and "\\" not in file and "\0" not in file
    if not plain or file.startswith("/") or any(part in (".", "..") or part.lower() == ".git" for part in parts):
        return False
    return any(_matches(parts, pattern.split("/")) for pattern in editable)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _edit(number: int, block: Any) -> Edit:
    match block:
        case {"search": str(search), "replace": str(replace), **rest} if not rest:
            return Edit(search, replace)
        case _:
            raise EditRefused(f'edit {number} is not {{"search": text, "replace": text}}')


def _edited(text: str, edits: Sequence[Edit]) -> str:
    windows = _is_windows(text)
    found = _unix(text) if windows else text
    for number, edit in enumerate(edits, 1):
        found = _once(found, edit, windows, f"edit {number}" if len(edits) > 1 else "the edit")
    return found.replace("\n", "\r\n") if windows else found


def _with_line_ends_of(text: str, whole: str) -> str:
    """A whole text with the line ends that the file had; where either mixes them, or has none, it is left as it is."""
    if _is_windows(text):
        return whole if "\r\n" in whole else whole.replace("\n", "\r\n")
    return _unix(whole) if _is_windows(whole) and "\n" in text and "\r\n" not in text else whole


def _once(text: str, edit: Edit, windows: bool, name: str) -> str:
    search, replace = (_unix(edit.search), _unix(edit.replace)) if windows else (edit.search, edit.replace)
    if not search.strip():
        raise EditRefused(f"{name} searches for nothing: give the lines that it replaces, or the whole file")
    if search == replace:
        raise EditRefused(f"{name} replaces a text by itself")
    first = text.find(search)
    if first < 0:
        raise EditRefused(f"{name} does not fit: {_quoted(search)} is not in the file{_hint(text, search)}")
    if text.find(search, first + 1) >= 0:
        raise EditRefused(f"{name} is ambiguous: {_quoted(search)} is there more than once; give more lines around it")
    return text[:first] + replace + text[first + len(search) :]


def _hint(text: str, search: str) -> str:
    """What is often the reason."""
    loose = "\n".join(line.strip() for line in text.splitlines())
    if "\n".join(line.strip() for line in search.splitlines()).strip() in loose:
        return " with these blanks: indentation and blanks must be those of the file"
    return ""


def _quoted(search: str) -> str:
    line = next((line.strip() for line in search.splitlines() if line.strip()), "")
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")


def _check(text: str, name: str) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise EditRefused(f"{name} has half a character: it would not be UTF-8") from None
    if "\0" in text:
        raise EditRefused(f"{name} has a NUL character: it is no text")
    if length > MOST_BYTES:
        raise EditRefused(f"{name} has {length:,} bytes; at most {MOST_BYTES:,} are taken")


def _is_windows(text: str) -> bool:
    """Whether every line ends in CRLF; where only some do, they are texts like any other."""
    ends = text.count("\n")
    return ends > 0 and text.count("\r\n") == ends


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _lines(text: str) -> list[str]:
    return [stripped for line in text.splitlines() if (stripped := line.rstrip())]
