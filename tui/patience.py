"""A terminal that stops reading holds nothing up: what it cannot take is left out, and later it gets the whole screen.

A connection that is dead but not closed, as behind the lid of a laptop, reads nothing for hours. Textual's writer takes
thirty pieces and then has whoever draws wait, and that is the event loop, which drives the run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TextIO

from textual.drivers.linux_driver import LinuxDriver

_PIECES = 12
"""Pieces under way from which on no more are taken; what restores the terminal in the end still finds room."""

_LOOK_SECONDS = 0.25
"""How often a terminal that is behind is looked after."""

_LAST_SECONDS = 1.0
"""How long a terminal that is behind is waited for in the end."""

_STOPS = (signal.SIGTSTP, signal.SIGCONT)


class Patient(LinuxDriver):
    """Writes only as fast as the terminal reads."""

    _leaving = True
    """Whether nothing is drawn: before it starts, and after it ends."""

    def start_application_mode(self) -> None:
        """Count from here what is asked and what is taken."""
        self._asked, self._behind, self._leaving = 0, False, False
        file: object = self._file
        self._taken = Taken(file.file if isinstance(file, Taken) else self._file)  # type: ignore[arg-type]
        self._file = self._taken  # type: ignore[assignment]
        super().start_application_mode()

    def write(self, data: str) -> None:
        """Send a piece, unless the terminal is behind."""
        if self._behind and not self._leaving:
            return
        if self._asked - self._taken.pieces >= _PIECES and not self._leaving:
            self._behind = True
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._catch_up)
            return
        self._asked += 1
        super().write(data)

    def stop_application_mode(self) -> None:
        """What restores the terminal is sent, whoever reads it."""
        self._leaving = True
        super().stop_application_mode()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while; what continues the process brings the screen back."""
        answers = {number: signal.getsignal(number) for number in _STOPS}
        super().suspend_application_mode()
        for number, answer in answers.items():
            signal.signal(number, answer)

    def close(self) -> None:
        """Wait for the last piece, but not for ever; what stops and continues a process is its own again."""
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)
        waiting = threading.Thread(target=super().close, name="textual-close", daemon=True)
        waiting.start()
        waiting.join(_LAST_SECONDS)

    def _sigcont_application(self, *_: object) -> None:
        """Back from where it was stopped: the whole screen again.

        A hang-up sends this signal along. Textual would then start to read a terminal that is no more, and the thread
        that does it would keep the process alive for ever.
        """
        if self._must_signal_resume and os.isatty(self.fileno):
            self.resume_application_mode()
        self._loop.call_soon_threadsafe(self._catch_up)

    def _catch_up(self) -> None:
        """When the terminal has read all that it was sent, the whole screen."""
        if self._leaving:
            return
        if self._asked > self._taken.pieces:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._catch_up)
            return
        self._behind = False
        self._app.refresh(layout=True)
        self._app.screen.refresh()


class Taken:
    """Counts the pieces that a terminal has taken; as much of a file as Textual's writer asks for."""

    def __init__(self, file: TextIO) -> None:
        self.pieces = 0
        self.file = file

    def write(self, text: str) -> int:
        """Returns when the terminal has it."""
        self.file.write(text)
        self.file.flush()
        self.pieces += 1
        return len(text)

    def flush(self) -> None:
        """Done with every piece."""

    def fileno(self) -> int:
        """Of the terminal."""
        return self.file.fileno()
