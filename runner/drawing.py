"""Draws a figure: a process of its own, for matplotlib takes a second to import and a hundred megabytes to keep.

``python -m runner.drawing picture.svg picture.png`` reads the figure as JSON from its input. Only this file imports
matplotlib.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Sheet
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from checkpoints import strokes
from checkpoints.text import clean
from runner.figures import GREY, INK, PAPER, Band, Figure, Line, Points

SIZE = (9.0, 4.6)
"""Inches."""

_DOTS = {".png": 160, ".svg": 90}
"""Dots an inch; of an SVG those of a cloud that it holds as a picture."""

_MANY = 700
"""Points from which they are a crowd: small, and in an SVG a picture; as shapes they would be megabytes."""

_FIRST = "dot"
"""The sign that stands out of a crowd, and keeps its intervals there."""

_SIGNS: dict[str, dict[str, Any]] = {
    "dot": {"marker": "o"},
    "ring": {"marker": "o", "fillstyle": "none"},
    "half": {"marker": "o", "fillstyle": "left", "markerfacecoloralt": PAPER},
    "cross": {"marker": "x"},
    "barred": {
        "marker": Path.make_compound_path(Path.unit_circle(), Path([(-0.7, 0.7), (0.7, -0.7)])),
        "fillstyle": "none",
    },
    "square": {"marker": "s"},
    "triangle": {"marker": "^"},
}


def main(paths: list[pathlib.Path]) -> None:
    """Draw what the input says into each path; a picture appears whole or not at all."""
    _settle()
    figure = Figure.from_json(sys.stdin.read())
    sheet = draw(figure)
    for path in paths:
        part = path.with_name(f".{path.name}.part")
        canvas: Any = FigureCanvasSVG(sheet) if path.suffix == ".svg" else FigureCanvasAgg(sheet)
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
        canvas.print_figure(part, format=path.suffix[1:], dpi=_DOTS[path.suffix], metadata=metadata)
        strokes.put(part, path)


def draw(figure: Figure) -> Sheet:
    """The figure on a sheet."""
    sheet = Sheet(figsize=SIZE, layout="constrained", facecolor=PAPER)
    axes: Any = sheet.add_subplot(facecolor="none")
    _axes(axes, figure)
    for rule in figure.rules:
        axes.axhline(rule.y, color=GREY, linestyle=":", linewidth=1, zorder=1)
    handles = [_band(axes, band) for band in figure.bands]
    handles += [_line(axes, line) for line in figure.lines]
    crowd = sum(len(points.xs) for points in figure.points) > _MANY
    handles += [_points(axes, points, crowd) for points in figure.points]
    labels = [layer.label for layer in (*figure.bands, *figure.lines, *figure.points)]
    for name, handle in _marks(axes, figure).items():
        handles.append(handle)
        labels.append(name)
    _legend(axes, [(handle, _text(label)) for handle, label in zip(handles, labels, strict=True) if label])
    return sheet


def _settle() -> None:
    """The same picture whatever a person's own settings of matplotlib are; nothing in a text is taken for a formula."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update({
        "text.parse_math": False, "text.usetex": False, "svg.fonttype": "none", "svg.hashsalt": "autoresearch",
        "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 10,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GREY, "xtick.color": INK, "ytick.color": INK,
    })  # fmt: skip


def _axes(axes: Any, figure: Figure) -> None:
    axes.set_title(_text(figure.title), loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(_text(figure.x_label))
    axes.set_ylabel(_text(figure.y_label))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GREY, alpha=0.18, linewidth=0.8)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
    if figure.log_y:
        axes.set_yscale("log")
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(FuncFormatter(_shown))
    if figure.x_limits:
        axes.set_xlim(*figure.x_limits)
    if figure.y_limits:
        axes.set_ylim(*figure.y_limits)


def _band(axes: Any, band: Band) -> Any:
    return axes.fill_between(band.xs, band.low, band.high, color=band.colour, alpha=0.2, linewidth=0, zorder=2)


def _line(axes: Any, line: Line) -> Any:
    (drawn,) = axes.plot(
        line.xs,
        line.ys,
        color=line.colour,
        linestyle="--" if line.dashed else "-",
        linewidth=0.8 if line.faint else 1.8,
        alpha=0.35 if line.faint else 0.9,
        drawstyle="steps-post" if line.steps else "default",
        zorder=3,
    )
    return drawn


def _points(axes: Any, points: Points, crowd: bool) -> Any:
    if points.low and not (crowd and points.sign != _FIRST):
        # One path with gaps: a path for each interval would be most of the file.
        xs = [at for x in points.xs for at in (x, x, x)]
        ends = [at for low, high in zip(points.low, points.high, strict=True) for at in (low, high, float("nan"))]
        width, alpha = (0.5, 0.2) if crowd else (1.2, 0.45)
        axes.plot(xs, ends, color=points.colour, alpha=alpha, linewidth=width, zorder=2, rasterized=crowd)
    size = 6.5 if not crowd else 3.5 if points.sign == _FIRST else 2.5
    (drawn,) = axes.plot(
        points.xs, points.ys, linestyle="none", color=points.colour, markersize=size, zorder=5,
        clip_on=False, rasterized=crowd, **_SIGNS[points.sign],
    )  # fmt: skip
    return drawn


def _marks(axes: Any, figure: Figure) -> dict[str, Any]:
    """Signs just above the axis, one handle for each kind."""
    found: dict[str, Any] = {}
    kinds = {mark.label: mark for mark in figure.marks}
    for place, (label, kind) in enumerate(kinds.items()):
        xs = [mark.x for mark in figure.marks if mark.label == label]
        (found[label],) = axes.plot(
            xs, [0.02 + 0.04 * place] * len(xs), linestyle="none", color=kind.colour, markersize=7, zorder=6,
            clip_on=False, transform=axes.get_xaxis_transform(), **_SIGNS[kind.sign],
        )  # fmt: skip
    return found


def _legend(axes: Any, named: list[tuple[Any, str]]) -> None:
    if not named:
        return
    # matplotlib leaves out labels that begin with an underscore, so the texts are set afterwards.
    legend = axes.legend(
        [handle for handle, _ in named], ["x" * len(label) for _, label in named],
        loc="upper left", bbox_to_anchor=(0, -0.13), ncols=6, frameon=False, fontsize=9, borderaxespad=0,
    )  # fmt: skip
    for text, (_, label) in zip(legend.get_texts(), named, strict=True):
        text.set_text(label)


def _shown(value: float, place: object) -> str:
    """A number on a logarithmic axis as a person writes it, for matplotlib would write a formula."""
    return f"{value:.3g}"


def _text(text: str) -> str:
    """On one line, without what a terminal or a font would stumble over, and not longer than the picture is wide."""
    line = " ".join(clean(text).split())
    return line if len(line) <= 110 else f"{line[:109]}…"


if __name__ == "__main__":
    main([pathlib.Path(argument) for argument in sys.argv[1:]])
