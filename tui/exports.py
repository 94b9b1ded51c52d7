"""Files of a run for its people: under ``exports/`` in the run folder, whole or not there, and never over another."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from checkpoints import strokes

FOLDER = "exports"


def write(run_folder: Path, name: str, texts: dict[str, str]) -> list[Path]:
    """Write texts, by the ending of their file.

    Returns:
        The files, ``exports/NAME-TIME.ENDING`` with the time in UTC.

    Raises:
        OSError: No room, or no right to write there.
    """
    with _workshop(run_folder) as workshop:
        for ending, text in texts.items():
            (workshop / f"part.{ending}").write_text(text, encoding="utf-8")
        return _publish(workshop, name, list(texts))


async def make(
    run_folder: Path, name: str, endings: Sequence[str], maker: Callable[..., Awaitable[object]]
) -> list[Path]:
    """The same for files that something else makes: ``maker`` is given their paths, and waited for.

    Raises:
        OSError: No room, or no right to write there.
    """
    with _workshop(run_folder) as workshop:
        await maker(*(workshop / f"part.{ending}" for ending in endings))
        return _publish(workshop, name, endings)


@contextmanager
def _workshop(run_folder: Path) -> Generator[Path]:
    """A folder beside the finished files, gone afterwards with all that is still in it."""
    folder = run_folder / FOLDER
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as workshop:
        yield Path(workshop)


def _publish(workshop: Path, name: str, endings: Sequence[str]) -> list[Path]:
    folder, at = workshop.parent, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    while True:
        stem = f"{name}-{at}" if number == 1 else f"{name}-{at}-{number}"
        paths = [folder / f"{stem}.{ending}" for ending in endings]
        if not any(path.exists() for path in paths):
            break
        number += 1
    for path in paths:
        # A link fails where a rename would replace what somebody else has written meanwhile.
        strokes.link(workshop / f"part{path.suffix}", path)
    return paths
