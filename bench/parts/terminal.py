"""A program in a pseudo-terminal: what it sends and when, what is on the screen then, what it costs the machine."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyte

ROOT = Path(__file__).parents[2]

COLUMNS, ROWS = 120, 40

ANSWERS = {
    rb"\x1b\[0?c": b"\x1b[?62;22c",
    rb"\x1b\[6n": b"\x1b[1;1R",
    rb"\x1b\]10;\?(\x07|\x1b\\)": b"\x1b]10;rgb:d0d0/d0d0/d0d0\x1b\\",
    rb"\x1b\]11;\?(\x07|\x1b\\)": b"\x1b]11;rgb:1010/1010/1010\x1b\\",
}
"""What a terminal says when it is asked what it is, where its cursor stands, and its colours: some programs wait."""

UNKNOWN = re.compile(
    rb"\x1b\[[<>=][0-9;]*[A-Za-z]|\x1b\[[0-9;?]*\$[a-z]|\x1b\[[0-9;?]* q|\x1b[PX^_].*?(?:\x1b\\|\x07)", re.S
)
"""Sequences that pyte does not know and would show, or stumble over."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a program and its children, over some time."""

    bytes_a_second: float
    share: float
    """Of one core."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that the program has sent."""

    at: float
    queued: float
    """Seconds that the program had waited for a processor until then."""

    data: bytes


@dataclass
class Terminal:
    """A program and its terminal."""

    process: subprocess.Popen[bytes]
    master: int
    sent: int = 0
    screen: pyte.Screen = field(default_factory=lambda: pyte.Screen(COLUMNS, ROWS))
    _arrived: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stream = pyte.ByteStream(self.screen)

    def read(self, seconds: float) -> None:
        """Take what comes for so long; when each piece came is noted, the screen is not drawn meanwhile.

        Raises:
            EOFError: The program has ended.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self._take()

    def _take(self) -> None:
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            for _ in self.draw():
                pass
            raise EOFError(f"the program has ended; on its screen:\n{self.text.rstrip()}") from error
        self._arrived.append(Piece(time.monotonic(), self.queued(), data))
        self.sent += len(data)
        for asked, answer in ANSWERS.items():
            for _ in re.findall(asked, data):
                os.write(self.master, answer)

    def write(self, keys: bytes) -> float:
        """Type; returns when."""
        now = time.monotonic()
        os.write(self.master, keys)
        return now

    def draw(self) -> Iterator[Piece]:
        """Draw what has come, piece by piece; gives each when it is on the screen."""
        while self._arrived:
            piece = self._arrived.pop(0)
            self._stream.feed(UNKNOWN.sub(b"", piece.data))
            yield piece

    def until(self, *words: str, seconds: float = 30.0) -> float:
        """Read until all of that is on the screen; returns when the last of it came.

        Raises:
            TimeoutError: It did not come; with the screen.
        """
        end = time.monotonic() + seconds
        while True:
            for piece in self.draw():
                text = self.text
                if all(word in text for word in words):
                    return piece.at
            if time.monotonic() > end:
                raise TimeoutError(f"{words} did not come; on the screen:\n{self.text}")
            self.read(0.02)

    @property
    def text(self) -> str:
        """The screen's lines, as far as they were drawn."""
        return "\n".join(self.screen.display)

    def cost(self, seconds: float) -> Cost:
        """Read for so long; what the program took meanwhile."""
        sent, before, began = self.sent, self.processor(), time.monotonic()
        self.read(seconds)
        took = time.monotonic() - began
        return Cost((self.sent - sent) / took, (self.processor() - before) / took)

    def processor(self) -> float:
        """Seconds of processor time of the program and its children so far."""
        total = 0.0
        for process in self._family():
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:2])
        return total

    def queued(self) -> float:
        """Seconds that the program's first thread has waited for a processor so far, because others had them all."""
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        return 0.0

    def memory(self, children: bool = False) -> float:
        """Resident memory of the program, MB; of its children, too, where they are part of it."""
        total = 0.0
        for process in self._family()[: None if children else 1]:
            with suppress(psutil.Error):
                total += process.memory_info().rss / 2**20
        return total

    def _family(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def terminal(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run a program in a pseudo-terminal of its own; at the end it is killed with its children."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    everything = {
        **os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT),
        # Compiled modules are kept, as those of an installed package are.
        "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-pycache"),
        **(environment or {}),
    }  # fmt: skip
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=everything, cwd=ROOT, start_new_session=True
    )
    os.close(slave)
    shown = Terminal(process, master)
    try:
        yield shown
    finally:
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


def python(code: str, *arguments: str) -> list[str]:
    """The command of a piece of Python."""
    return [sys.executable, "-c", code, *arguments]


def ours(folder: Path) -> list[str]:
    """The command of the dashboard of a run that another process drives."""
    return [sys.executable, "-m", "tui.main", "attach", str(folder)]
