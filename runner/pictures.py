"""Has a figure drawn, by a process of its own that imports matplotlib, so that no other has to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.figures import Figure

SECONDS = 120.0
"""After which a drawing is given up; the first one on a machine makes matplotlib look at all its fonts."""


_PACKAGES = Path(__file__).parents[1]
"""Where the project's packages are."""


class DrawingFailed(Exception):
    """A picture was not made; the message is one line that says why."""


async def draw(figure: Figure, *paths: Path) -> None:
    """Draw a figure into files, ``.svg`` or ``.png``; each appears whole or not at all.

    Cancelled, it ends its process.

    Raises:
        DrawingFailed: Why not.
    """
    _check(paths)
    process = await asyncio.create_subprocess_exec(
        *_command(paths),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(figure.to_json().encode()), SECONDS)
    except TimeoutError:
        raise DrawingFailed(f"the drawing took longer than {SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    _judge(process.returncode, said)


def draw_now(figure: Figure, *paths: Path) -> None:
    """The same for a command, which has nothing else to do meanwhile.

    Raises:
        DrawingFailed: Why not.
    """
    _check(paths)
    try:
        done = subprocess.run(
            _command(paths),
            input=figure.to_json().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(),
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise DrawingFailed(f"the drawing took longer than {SECONDS:.0f} s") from None
    _judge(done.returncode, done.stderr)


def _check(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.suffix not in (".svg", ".png"):
            raise DrawingFailed(f"{path.name}: a picture is .svg or .png")


def _command(paths: Sequence[Path]) -> list[str]:
    return [sys.executable, "-P", "-m", "runner.drawing", *map(str, paths)]


def _environment() -> dict[str, str]:
    """The same packages as here, and nothing of the folder that a person stands in; no window to draw in."""
    places = [str(_PACKAGES), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(filter(None, places))}


def _judge(status: int | None, said: bytes) -> None:
    if status == 0:
        return
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    raise DrawingFailed(f"the picture could not be drawn: {' '.join(lines[-1].split()) if lines else status}")
