"""Artifact folders that are whole or not there: a manifest of sizes and SHA-256 sums, written last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, cast

from checkpoints import strokes
from checkpoints.records import Json

MANIFEST = "manifest.json"
"""Name of the manifest inside its folder: ``{"files": {path: {"size": bytes, "sha256": hex}}}``."""


def seal(folder: Path) -> Json:
    """Make a folder whole: every file to disk, then the manifest.

    A crash before the end leaves no manifest, and without one a folder is not whole.

    Returns:
        The manifest.

    Raises:
        OSError: the disk is full or a file cannot be read.
    """
    files = {str(path.relative_to(folder).as_posix()): _sync_and_sum(path) for path in _files(folder)}
    for inner in [path for path in folder.rglob("*") if path.is_dir()]:
        sync_folder(inner)
    manifest: Json = {"files": files}
    write_json(folder / MANIFEST, manifest)
    return manifest


def problems(folder: Path) -> list[str]:
    """What is missing from a folder or damaged in it, a line each; empty when it is whole. Extra files do not count."""
    manifest = read_manifest(folder)
    if manifest is None:
        return ["no manifest"]
    return [problem for name, entry in manifest["files"].items() if (problem := _problem(folder / name, name, entry))]


def is_whole(folder: Path) -> bool:
    """Whether every file of the manifest is there with its size and sum."""
    return not problems(folder)


def read_manifest(folder: Path) -> Json | None:
    """The manifest of a folder; None where there is none or it cannot be understood."""
    try:
        found: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return as_manifest(found)


def as_manifest(found: Any) -> Json | None:
    """What was read as JSON as the manifest that it is; None where it is none, or names a file outside its folder."""
    files: Any = cast(Json, found).get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict):
        return None
    whole = all(_is_inside(name) and _is_entry(entry) for name, entry in cast(Json, files).items())
    return cast(Json, found) if whole else None


def publish(temporary: Path, final: Path) -> Json:
    """Seal a folder and rename it into place, so that it appears at once and whole.

    Doing it again is harmless: where ``final`` already is whole with the same sums it stays and ``temporary`` goes.
    Anything else at ``final`` is replaced.

    Returns:
        The manifest of what is at ``final``.

    Raises:
        OSError: the disk is full, or the two are on different file systems.
    """
    manifest = seal(temporary)
    if read_manifest(final) == manifest and is_whole(final):
        strokes.clear(temporary)
        return manifest
    if final.exists():
        _put_aside(final)
    strokes.put(temporary, final)
    sync_folder(final.parent)
    return manifest


def last_whole(folders: Iterable[Path]) -> tuple[Path | None, list[str]]:
    """The newest whole folder, and a line for each damaged one that was passed over on the way to it.

    Args:
        folders: From old to new.
    """
    passed: list[str] = []
    for folder in reversed(list(folders)):
        found = problems(folder)
        if not found:
            return folder, passed
        passed.append(f"{folder.name} is damaged and was passed over: {'; '.join(found[:3])}")
    return None, passed


def write_json(path: Path, obj: Json) -> None:
    """Replace a file by a JSON object, durably: after a crash there is the old one or the new one, whole.

    Raises:
        ValueError: a number is not finite.
        OSError: the disk is full.
    """
    write_text(path, json.dumps(obj, ensure_ascii=False, allow_nan=False))


def write_text(path: Path, text: str) -> None:
    """The same for text.

    Raises:
        OSError: the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        strokes.take(temporary)  # else a folder that is sealed again would name it in its manifest
        raise
    strokes.put(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have what came and went in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def _sync_and_sum(path: Path) -> Json:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _problem(path: Path, name: str, entry: Json) -> str:
    try:
        size = path.stat().st_size
        if size != entry["size"]:
            return f"{name} has {size} bytes instead of {entry['size']}"
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]
        return "" if same else f"{name} has another SHA-256 sum"
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _is_entry(entry: Any) -> bool:
    found = cast(Json, entry) if isinstance(entry, dict) else {}
    return type(found.get("size")) is int and isinstance(found.get("sha256"), str)


def _put_aside(final: Path) -> None:
    """A folder cannot be renamed onto a full one: the old one steps aside first and then goes."""
    aside = final.with_name(f".{final.name}.{os.getpid()}.old")
    strokes.clear(aside, quietly=True)
    strokes.put(final, aside)
    strokes.clear(aside, quietly=True)
