"""What a person takes along: the panel or the page in sight, into the clipboard and into files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.text import clean
from tui.guest import Guest
from tui.keys import PANELS
from tui.screens.page import Page
from tui.widgets.curves import Plot
from tui.widgets.experiments import Experiments
from tui.widgets.logs import Events

# What reads and writes files is imported when a key asks for it, not in the way of the first paint.
if TYPE_CHECKING:
    from tui.taken import Taken


class Takeaway(Guest):
    """The actions that take something along; none changes the run."""

    def action_copy(self) -> None:
        """The panel in focus as text, into the clipboard and a file."""
        self._take("copied", self._copy)

    def action_export(self) -> None:
        """The panel in focus into files: a plot as pictures, a table for other programs."""
        self._take("exported", self._export)

    def _take(self, done: str, take: Callable[[Taken], Coroutine[None, None, str]]) -> None:
        """Have it read, taken and told beside the screen; what hinders it is one line."""
        import sqlite3

        read = self._in_sight()

        async def work() -> None:
            try:
                what = await asyncio.to_thread(read)
                said = await take(what) if what.text else f"there is nothing in {what.name} to be {done} yet"
            except (OSError, sqlite3.Error) as error:
                self.say(f"nothing was {done}: {_why(error)}", "error")
            else:
                self.say(said)

        self.run_worker(work(), group="takeaway")

    async def _copy(self, what: Taken) -> str:
        from tui import exports
        from tui.clipboard import put

        assert self._driver is not None
        whole = await put(what.text, self._driver.write)
        amount = f"{what.text.count(chr(10))} lines" if whole else "the first part"
        try:
            (path,) = await asyncio.to_thread(exports.write, self.folder, what.name, {what.ending: what.text})
        except OSError as error:
            return f"copied {amount}; not in a file: {_why(error)}"
        return f"copied {amount}; {'also' if whole else 'all of it'} in {self._named([path])}"

    async def _export(self, what: Taken) -> str:
        from tui import exports, taken

        if what.figure:
            from runner.pictures import DrawingFailed, draw

            try:
                paths = await exports.make(self.folder, what.name, ("png", "svg"), partial(draw, what.figure))
            except DrawingFailed as failed:
                return f"nothing was exported: {failed}"
        else:
            texts = {"tsv": taken.tsv(what.records), "json": taken.as_json(what.records)} if what.records else {}
            write = partial(exports.write, self.folder, what.name, texts or {what.ending: what.text})
            paths = await asyncio.to_thread(write)
        return f"exported {self._named(paths)}"

    def _in_sight(self) -> Callable[[], Taken]:
        """How to read what is in sight, in any thread."""
        from tui import taken
        from tui.taken import Taken

        snapshot, screen = self.snapshot, self.screen
        if isinstance(screen, Page):
            return partial(Taken, _name(screen), clean(screen.text), ending="txt")
        focused = self.main.focused
        match focused:
            case Plot():
                figure = focused.figure()
                return partial(taken.plot, focused.id or "plot", figure) if figure else partial(Taken, "the plot", "")
            case Events():
                return partial(taken.events, self.folder, focused.found)
            case _ if focused and focused.id == PANELS[3]:
                return partial(taken.memory, snapshot.hypotheses, snapshot.zoom_outs)
            case _ if focused and focused.id == PANELS[5]:
                return partial(taken.lanes, snapshot)
            case _:
                rows = self.main.query_one(Experiments).found.rows(snapshot.rows)
                return partial(taken.experiments, self.folder, rows)

    def _named(self, paths: Sequence[Path]) -> str:
        """As a person finds them from the folder of the program."""
        shown = [str(path.relative_to(self.folder.parent)) for path in paths]
        return " and ".join([shown[0], *(path.suffix for path in paths[1:])])


def _name(page: Page) -> str:
    """What a page is called as a file: ``help``, ``detail-12``."""
    kind = type(page).__name__ if type(page) is not Page else page.text.split(maxsplit=1)[0]
    about = "" if page.about is None else f"-{page.about}"
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()) + about


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
