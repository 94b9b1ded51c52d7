"""How a process that answers talks with its owner: a JSON object a line, in and out. It ends with its owner."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading

from checkpoints.records import Json


class Lines:
    """The output, kept from whatever a library prints."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def line(self, said: Json) -> None:
        """Say something."""
        print(json.dumps(said), file=self._output, flush=True)


def heard() -> asyncio.Queue[bytes]:
    """The lines of the input, as they come; the process ends when the input does."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    threading.Thread(target=_listen, args=(lines, asyncio.get_running_loop()), daemon=True).start()
    return lines


def _listen(lines: asyncio.Queue[bytes], loop: asyncio.AbstractEventLoop) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    os._exit(0)  # whoever asked is gone, and nobody waits for what is still under way
