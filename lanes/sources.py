"""Where rows are: local JSONL, JSON, CSV and Parquet files, or a data set of the hub, read row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from lanes.order import Source

LOCAL = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
"""Endings that only a file has."""


class DataError(Exception):
    """Data that cannot be trained on; the text is one line for a person."""


class RowError(Exception):
    """A row that is no example, and why in a few words."""


def raw_rows(source: Source) -> Iterator[tuple[str, Any]]:
    """Every row of a source with its place; a RowError in place of a row that cannot be read.

    Raises:
        DataError: the source is not there, or cannot be read at all.
    """
    path = Path(source.path).expanduser()
    suffix = path.suffix.lower()
    if not path.exists():
        if suffix in LOCAL or source.path.startswith((".", "/", "~")) or source.path.count("/") > 1:
            raise DataError(f"Data file {source.path} does not exist: correct the path, or name a hub id (org/name)")
        return _hub_rows(source)
    if path.is_dir():
        return _hub_rows(source)
    if suffix == ".csv":
        return _csv_rows(path)
    if suffix == ".parquet":
        return _parquet_rows(path)
    return _json_rows(path)


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        file.seek(0)
        if start == b"[":
            yield from _list_rows(path, file.read())
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path.name}:{number}", _decode(line)


def _list_rows(path: Path, text: bytes) -> Iterator[tuple[str, Any]]:
    found = _decode(text)
    if isinstance(found, RowError):
        raise DataError(f"{path.name} {found}: correct the file")
    yield from ((f"{path.name} row {number}", row) for number, row in enumerate(found, 1))


def _decode(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"))
    except ValueError as error:
        return RowError("is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"is no JSON ({error})")
    except RecursionError:
        return RowError("is nested too deeply")


def _csv_rows(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield f"{path.name}:{reader.line_num}", row
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is no CSV file in UTF-8 ({error})") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Any]]:
    return _loaded(path.name, "parquet", data_files=str(path), split="train")


def _hub_rows(source: Source) -> Iterator[tuple[str, Any]]:
    return _loaded(source.path, source.path, split=source.split, revision=source.revision)


def _loaded(name: str, *place: str, **options: Any) -> Iterator[tuple[str, Any]]:
    """Rows by way of ``datasets``, which is imported only here: it takes seconds."""
    import datasets

    load: Any = cast(Any, datasets).load_dataset
    try:
        rows: Any = load(*place, **options)
    except Exception as error:
        why = next(iter(str(error).splitlines()), "") or type(error).__name__
        line = f"Data {name} cannot be loaded ({why[:200]}): check the name, the split and the network"
        raise DataError(line) from error
    return ((f"{name} row {number}", row) for number, row in enumerate(rows, 1))
