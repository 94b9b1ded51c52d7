"""Text into the clipboard of the person's own terminal, also through SSH and tmux: OSC 52, written by us."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable

MOST_BYTES = 74_000
"""Of text: as base64 with its envelope this stays under the 100,000 bytes at which terminals cut."""

_TMUX_SECONDS = 2.0


async def put(text: str, write: Callable[[str], object]) -> bool:
    """Put text, or its first part where it is too long, into the clipboard.

    tmux with its own settings ignores what a program says to the clipboard, but not what tmux itself is told. Where it
    cannot be told (too old, another machine's), the sequence goes out both plain and wrapped to be passed on.

    Args:
        text: Cleaned of controls.
        write: Sends to the terminal, all of what it is given at once.

    Returns:
        Whether all of it went.
    """
    part = first_part(text)
    if not (os.environ.get("TMUX") and await _told_tmux(part)):
        write(sequence(part, _in_tmux()))
    return part == text


def first_part(text: str, most: int = MOST_BYTES) -> str:
    """As many whole lines, else characters, as ``most`` bytes of UTF-8 hold."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    part = encoded[:most].decode(errors="ignore")
    return part[: part.rfind("\n") + 1] or part


def sequence(text: str, tmux: bool = False) -> str:
    """What sets the clipboard of a terminal; in tmux also the same wrapped for the terminal around it."""
    plain = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"
    return f"{plain}\x1bPtmux;\x1b{plain}\x1b\\" if tmux else plain


def _in_tmux() -> bool:
    return bool(os.environ.get("TMUX")) or os.environ.get("TERM", "").startswith("tmux")


async def _told_tmux(text: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux", "load-buffer", "-w", "-", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode()), _TMUX_SECONDS)
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode == 0
