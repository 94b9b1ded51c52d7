"""Folders at fsspec URLs: published whole or not at all, read back and compared, fetched into a local cache."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from fsspec import core
from fsspec.implementations.local import LocalFileSystem

from checkpoints import artifacts, strokes
from checkpoints.artifacts import MANIFEST
from checkpoints.records import Json
from lanes.room import is_full

CHUNK = 1 << 20
"""Bytes that are moved at once."""


class PlaceError(Exception):
    """A folder cannot be moved; the text is one line for a person."""


class SourceError(PlaceError):
    """What should be moved is not there or damaged, or the place is none: trying again does not help."""


class FullError(PlaceError):
    """There is no room at the place: trying again helps once there is."""

    def __init__(self, url: str, folder: Path | None, needed: int) -> None:
        super().__init__(f"{url} is full: make room for {needed / 1e6:.1f} MB")
        self.folder = folder
        """On the disk that is full; None where the place is not on this machine."""

        self.needed = needed
        """Bytes."""


class Stopped(Exception):
    """Somebody wanted the transfer to end."""


class Transfer:
    """Bytes on their way: how many there are, who wants to know, and who may stop it."""

    def __init__(self, tell: Callable[[int, int], None] | None = None) -> None:
        """Begin at nothing.

        Args:
            tell: Called from the working thread after each chunk with the bytes moved or read back, and all of them.
        """
        self.stop = threading.Event()
        self.total = 0
        self.done = 0
        self._tell = tell

    def add(self, count: int) -> None:
        """Count bytes.

        Raises:
            Stopped: ``stop`` was set.
        """
        if self.stop.is_set():
            raise Stopped
        self.done += count
        if self._tell:
            self._tell(self.done, self.total)


def publish(source: Path, url: str, transfer: Transfer) -> tuple[Json, bool]:
    """Put a whole folder at a URL, so that it appears there at once, and compare every byte there with its sum.

    On a local file system a temporary folder is renamed; elsewhere the manifest is what makes a folder whole, and it is
    written last. A folder that is there already and whole is kept.

    Returns:
        The manifest, and whether the folder was there already.

    Raises:
        SourceError: The source is damaged, or the URL is of no known kind.
        FullError: There is no room.
        PlaceError: What arrived is not what was sent.
        OSError: The place cannot be written.
        Stopped: ``transfer.stop`` was set.
    """
    manifest = _sound(source)
    files = _Folder(url)
    transfer.total = 2 * size(manifest)
    if files.manifest() == manifest:
        transfer.total = size(manifest)
        if not files.differences(manifest, transfer):
            return manifest, True
        transfer.done, transfer.total = 0, 2 * size(manifest)
    try:
        if files.local is not None:
            _publish_locally(source, files.local, manifest, transfer)
        else:
            _publish_remotely(source, files, manifest, transfer)
    except OSError as error:
        if is_full(error):
            raise FullError(url, files.local and _existing(files.local), size(manifest)) from error
        raise
    return manifest, False


def fetch(url: str, cache: Path, transfer: Transfer) -> Path:
    """A local folder with what is published at a URL; the place itself where it is local.

    Args:
        url: Of the published folder.
        cache: Folder that fetched copies live in, by the last part of the URL.

    Raises:
        SourceError: What is published is not there or damaged.
        OSError: The place cannot be read.
        Stopped: ``transfer.stop`` was set.
    """
    files = _Folder(url)
    if files.local is not None:
        _sound(files.local)
        return files.local
    manifest = files.manifest()
    if manifest is None:
        raise SourceError(f"{url} has no {MANIFEST} that can be read: it was not published whole")
    final = cache / url.rstrip("/").rpartition("/")[2]
    if artifacts.read_manifest(final) == manifest and artifacts.is_whole(final):
        return final
    transfer.total = size(manifest)
    temporary = _fresh(final)
    try:
        _take_all(files, manifest, temporary, transfer)
        artifacts.publish(temporary, final)
    finally:
        strokes.clear(temporary, quietly=True)
    return final


def size(manifest: Json) -> int:
    """Bytes of a folder, its manifest not counted."""
    return sum(entry["size"] for entry in manifest["files"].values())


class _Folder:
    """A folder at a URL."""

    def __init__(self, url: str) -> None:
        try:
            found: Any = cast(Any, core).url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise SourceError(f"{url} cannot be used: {error}") from error
        self.url = url
        self._fs: Any = found[0]
        self._root: str = found[1].rstrip("/")
        self.local = Path(self._root) if isinstance(self._fs, LocalFileSystem) else None
        """The folder itself where it is on this machine."""

    def manifest(self) -> Json | None:
        """The manifest that is there; None where there is none or it cannot be understood."""
        try:
            return artifacts.as_manifest(json.loads(self._fs.cat_file(self._at(MANIFEST))))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def differences(self, manifest: Json, transfer: Transfer) -> list[str]:
        """Files that are missing here or differ from a manifest, read back byte by byte; a line each."""
        lines = [(name, self._difference(name, entry, transfer)) for name, entry in manifest["files"].items()]
        return [f"{name} {line}" for name, line in lines if line]

    def put(self, source: Path, name: str, transfer: Transfer) -> None:
        """Write a file here."""
        target = self._at(name)
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        with source.open("rb") as reader, self._fs.open(target, "wb") as writer:
            _copy(reader, writer, transfer)

    def take(self, name: str, target: Path, transfer: Transfer) -> None:
        """Fetch a file from here."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._fs.open(self._at(name), "rb") as reader, target.open("wb") as writer:
            _copy(reader, writer, transfer)

    def unseal(self) -> None:
        """Take the manifest away, if there is one: what is here is not whole from now on."""
        if self._fs.exists(self._at(MANIFEST)):
            self._fs.rm_file(self._at(MANIFEST))

    def seal(self, manifest: Json) -> None:
        """Write the manifest: what is here is whole."""
        self._fs.pipe_file(self._at(MANIFEST), json.dumps(manifest, ensure_ascii=False).encode())

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _difference(self, name: str, entry: Json, transfer: Transfer) -> str:
        try:
            with self._fs.open(self._at(name), "rb") as reader:
                count, found = _sum(reader, transfer)
        except FileNotFoundError:
            return "is missing"
        if count != entry["size"]:
            return f"has {count} bytes instead of {entry['size']}"
        return "" if found == entry["sha256"] else "has another SHA-256 sum"


def _publish_locally(source: Path, final: Path, manifest: Json, transfer: Transfer) -> None:
    temporary = _fresh(final)
    copy = _Folder(str(temporary))
    try:
        for name in manifest["files"]:
            copy.put(source / name, name, transfer)
        if found := copy.differences(manifest, transfer):
            raise PlaceError(f"{final} did not arrive whole: {found[0]}")
        artifacts.publish(temporary, final)
    finally:
        strokes.clear(temporary, quietly=True)


def _publish_remotely(source: Path, files: _Folder, manifest: Json, transfer: Transfer) -> None:
    files.unseal()
    for name in manifest["files"]:
        files.put(source / name, name, transfer)
    if found := files.differences(manifest, transfer):
        raise PlaceError(f"{files.url} did not arrive whole: {found[0]}")
    files.seal(manifest)
    if files.manifest() != manifest:
        files.unseal()
        raise PlaceError(f"{files.url} did not arrive whole: {MANIFEST} reads differently there")


def _take_all(files: _Folder, manifest: Json, temporary: Path, transfer: Transfer) -> None:
    for name in manifest["files"]:
        try:
            files.take(name, temporary / name, transfer)
        except FileNotFoundError as error:
            raise SourceError(f"{files.url} is damaged: {name} is missing") from error
    if found := _differences(temporary, manifest):
        raise SourceError(f"{files.url} is damaged: {found[0]}")


def _sound(folder: Path) -> Json:
    if not folder.is_dir():
        raise SourceError(f"{folder} is not there")
    found = artifacts.problems(folder)
    manifest = artifacts.read_manifest(folder)
    if found or manifest is None:
        raise SourceError(f"{folder} is damaged: {found[0]}")
    return manifest


def _differences(folder: Path, manifest: Json) -> list[str]:
    return _Folder(str(folder)).differences(manifest, Transfer())


def _fresh(final: Path) -> Path:
    """An empty folder beside the one to come; what a killed process of ours left there is removed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    for old in final.parent.glob(f".{final.name}.*.tmp"):
        strokes.clear(old, quietly=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    return temporary


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _copy(reader: Any, writer: Any, transfer: Transfer) -> None:
    while chunk := reader.read(CHUNK):
        writer.write(chunk)
        transfer.add(len(chunk))


def _sum(reader: Any, transfer: Transfer) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    while chunk := reader.read(CHUNK):
        digest.update(chunk)
        count += len(chunk)
        transfer.add(len(chunk))
    return count, digest.hexdigest()
