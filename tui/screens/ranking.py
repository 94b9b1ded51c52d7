"""Ranking: whom the votes place where, whether voters agree, which metrics order models as people do, promotion."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType

from checkpoints.reader import Reader
from runner.report import blocks
from tui.keys import Action
from tui.screens.written import Written
from tui.snapshot import Snapshot

RANKING = (Action("again", ("R",), "R", "Again", "Read the run again: the votes are studied after each verdict"),)
"""Keys of this page beside those of every page."""


class RankingPage(Written):
    """Shows the last study of the run's votes."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in RANKING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        super().__init__("Ranking", folder, snapshot, "↑ ↓ read  Tab section  R again  Esc back")

    def write(self, read: Reader, snapshot: Snapshot) -> blocks.Report:
        """See ``Written.write``."""
        from runner.report import believed

        name = snapshot.run.name if snapshot.run else ""
        return believed.page(name, believed.gather(read))
