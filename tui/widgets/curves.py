"""A plot as a panel: drawn when what it shows has changed, called by its name, turned to its next view by a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from runner.figures import Figure
from tui import plots
from tui.axes import Limits
from tui.plots import Frame
from tui.signs import GREY
from tui.widgets.lines import Lines, fitted, said, styled

_LEAST = (24, 5)
"""Cells below which a plot says nothing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn, and on which axes."""

    figure: Figure
    x: Limits
    y: Limits
    log: bool = False
    names_at_top: bool = True


class Plot(Lines, can_focus=True):
    """A plot with several views."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._drawn_of: tuple[Picture, int, int, bool] | None = None
        self._drawn: Sequence[Text] = ()
        self._framed_by: tuple[str, str] = ("", "")

    def picture(self, width: int) -> Picture | None:
        """The view as it is now; None while there is nothing to see.

        Args:
            width: Cells that it is drawn in.
        """
        raise NotImplementedError

    def nothing(self) -> str:
        """What to say while there is nothing."""
        raise NotImplementedError

    def titles(self) -> Sequence[str]:
        """What the view is and which key changes it, at its longest and shorter."""
        raise NotImplementedError

    def legends(self, picture: Picture, width: int) -> Sequence[str]:
        """What the signs are, at its longest and shorter."""
        raise NotImplementedError

    def views(self) -> Sequence[str]:
        """Names of what there is to show, the one shown now first, then as ``turn`` goes on."""
        raise NotImplementedError

    def turn(self) -> str:
        """Show the next view; returns why not, empty where it did."""
        raise NotImplementedError

    def figure(self) -> Figure | None:
        """What is shown, as data; None while there is nothing."""
        shown = self.picture(max(self.size.width, _LEAST[0]))
        return shown.figure if shown else None

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """The plot, or why there is none yet; without a frame its title is the first line."""
        heading = [] if self._has_frame else [self._heading(width)]
        height -= len(heading)
        shown = self.picture(width) if plots.loaded() and width >= _LEAST[0] and height >= _LEAST[1] else None
        if shown is None:
            return [*heading, said(f" {self.nothing()}", GREY)]
        wanted = (shown, width, height, plots.is_plain())
        if self._drawn_of is None or self._drawn_of[0] is not shown or self._drawn_of[1:] != wanted[1:]:
            frame = Frame(width, height, shown.x, shown.y, shown.log, plots.is_plain())
            self._drawn_of, self._drawn = wanted, plots.paint(shown.figure, frame, shown.names_at_top)
        return [*heading, *self._drawn]

    def update(self) -> None:
        """Draw again what differs, and say in the frame what it is."""
        if self.is_attached and self._has_frame:
            self._say_in_the_frame(max(self.size.width - 4, 1))
        super().update()

    @property
    def _has_frame(self) -> bool:
        return self.styles.border_top[0] not in ("", "none")

    def _say_in_the_frame(self, width: int) -> None:
        shown = self.picture(self.size.width) if self.snapshot else None
        legend = _longest(self.legends(shown, self.size.width), width) if shown else ""
        framed_by = _longest(self.titles(), width), legend
        if framed_by != self._framed_by:
            # As text: a series may be called anything.
            self._framed_by = framed_by
            self.border_title, self.border_subtitle = map(said, framed_by)  # type: ignore[assignment]

    def _heading(self, width: int) -> Text:
        shown = self.picture(width) if self.snapshot else None
        legends = self.legends(shown, width) if shown else [""]
        for title in self.titles():
            for legend in legends:
                if len(title) + len(legend) + 4 <= width:
                    return fitted(self._named(title), width - len(legend) - 1).append(legend, GREY)
        return self._named(_longest(self.titles(), width - 2))

    @staticmethod
    def _named(title: str) -> Text:
        return styled(f" {said(title).plain}", f"bold {GREY}")


def _longest(texts: Sequence[str], width: int) -> str:
    """The first that fits, else the last."""
    return next((text for text in texts if len(text) <= width), texts[-1])
