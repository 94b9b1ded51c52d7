"""Keeps a dashboard on the screen: one that fails is shown again, and a terminal that has gone is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from tui.app import Dashboard
from tui.faults import note
from tui.leaving import Leave

_SHOWN = 3
"""How often in a row a dashboard is shown that fails: it comes back once less."""

_LASTED = 60.0
"""Seconds after which a failure is no longer one in a row with the failure before."""

_TERMINAL_SECONDS = 2.0
"""How often it is asked whether the terminal is still there: not every way to lose one sends a signal."""


class Host:
    """Shows one dashboard at a time, until its person leaves or the terminal does."""

    def __init__(self, run_folder: Path, make: Callable[[str], Dashboard], lost: Callable[[], None]) -> None:
        """Prepare to show.

        Args:
            run_folder: Where traces go.
            make: Makes the dashboard; called with what the person is told first, empty at the first time.
            lost: Called when the terminal has gone.
        """
        self.app: Dashboard | None = None
        """The dashboard on the screen."""

        self.failed = ""
        """What ended the last dashboard, where that was no person."""

        self._folder, self._make, self._lost = run_folder, make, lost
        self._sent_away: Leave | None = None
        self._eye: asyncio.TimerHandle | None = None

    async def entertain(self) -> Leave | None:
        """Show the dashboard, and again after a failure; returns how it was left, None when it failed too often."""
        self._mind_the_terminal()
        try:
            return await self._show_again_and_again()
        finally:
            self.app = None
            if self._eye:
                self._eye.cancel()

    def send_away(self, how: Leave) -> None:
        """Have the dashboard left, or not shown any more."""
        self._sent_away = how
        if self.app:
            self.app.exit(how)

    async def _show_again_and_again(self) -> Leave | None:
        failures, told = 0, ""
        while failures < _SHOWN and self._sent_away is None:
            began = time.monotonic()
            left = await self._show(told)
            if left or self._sent_away:
                return self._sent_away or left
            failures = failures + 1 if time.monotonic() - began < _LASTED else 1
            told = f"the screen failed and is back ({self.failed})"
        return self._sent_away

    async def _show(self, told: str) -> Leave | None:
        """One dashboard until its end; None when it failed."""
        app = self.app = self._make(told)
        error: Exception | None = None
        left: Leave | None = None
        try:
            left = await app.run_async(mouse=False)
            error = app.broken_by
        except Exception as raised:
            error = raised
        finally:
            app.wheel.close()
        if error is not None:
            self.failed, left = note(self._folder, error), None
        elif left is None:
            self.failed = "the terminal could not be read"
            if not terminal_is_there():
                self._lost()
        return left

    def _mind_the_terminal(self) -> None:
        if terminal_is_there():
            self._eye = asyncio.get_running_loop().call_later(_TERMINAL_SECONDS, self._mind_the_terminal)
        else:
            self._lost()


def terminal_is_there() -> bool:
    """Whether a terminal is still behind what this process reads."""
    try:
        termios.tcgetattr(sys.__stdin__)  # type: ignore[arg-type]
    except (termios.error, OSError, ValueError):
        return False
    return True


def tell(text: str) -> None:
    """A line for whoever still listens."""
    with contextlib.suppress(OSError):
        print(text, flush=True)
