"""Figures as data, and the process that draws them: nothing is lost on the way, no text is a command."""

import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from runs import write_run

from checkpoints.reader import Reader
from checkpoints.records import State
from runner.figures import LOOKS, Band, Figure, Line, Mark, Points, Rule
from runner.pictures import DrawingFailed, draw, draw_now
from runner.trails import placed, progress

HOSTILE = r"$\frac{ _x <script>alert(1)</script> \x1b]52;c;aGk=\x07 漢字 🙂 $" + "\x1b[2J\u202e" + "a" * 10_000


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    folder = tmp_path_factory.mktemp("written")
    write_run(folder, 12)
    return Reader(folder)


def test_progress_shows_each_verdict_once_under_its_state_and_the_keeps_joined(read: Reader) -> None:
    rows = read.rows()

    figure = progress(rows, read.interventions(), read.zoom_outs(), simulated=True)

    shown = {points.label: set(points.xs) for points in figure.points}
    assert shown == {
        LOOKS[state].word: {row.experiment.number for row in rows if row.verdict and row.experiment.state is state}
        for state in (State.KEPT, State.DISCARDED, State.INCONCLUSIVE, State.CRASHED, State.VETOED)
    }
    (best,) = figure.lines
    assert set(best.xs) - {12.0} == shown["kept"] - {12.0}
    assert [mark.label for mark in figure.marks] == ["zoom-out", "a person's step"]
    assert "simulated voters" in figure.y_label
    assert figure.rules == (Rule(50.0, "even"),)


def test_a_mark_stands_behind_the_experiments_that_had_been_proposed_by_then(read: Reader) -> None:
    rows = read.rows()
    between = (rows[3].experiment.proposed_at + rows[4].experiment.proposed_at) / 2

    assert placed(rows, [0.0, between, 1e12]) == [-0.5, 3.5, len(rows) - 0.5]


def test_a_run_without_a_verdict_gives_a_figure_with_nothing_on_it() -> None:
    assert progress([]).points == ()


def test_a_figure_reads_back_from_its_text_as_it_was() -> None:
    figure = full_figure("t")

    assert Figure.from_json(figure.to_json()) == figure


@pytest.mark.slow
async def test_any_text_is_drawn_as_it_is_and_the_svg_is_whole_xml(tmp_path: Path) -> None:
    picture, pixels = tmp_path / "plot.svg", tmp_path / "plot.png"

    await draw(full_figure(HOSTILE), picture, pixels)

    text = "".join(xml.parse(picture).getroot().itertext())
    assert r"$\frac{ _x <script>alert(1)</script>" in text
    assert not any(control in text for control in ("\x1b", "\x07", "\u202e"))
    assert "<script" not in picture.read_text()
    assert pixels.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"plot.svg", "plot.png"}


def test_what_cannot_be_drawn_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DrawingFailed, match=r"a picture is \.svg or \.png"):
        draw_now(full_figure("t"), tmp_path / "plot.gif")
    with pytest.raises(DrawingFailed) as failed:
        draw_now(full_figure("t"), tmp_path / "nowhere" / "plot.svg")

    assert "No such file" in str(failed.value) and "\n" not in str(failed.value)


def test_asking_for_a_picture_imports_nothing_that_draws() -> None:
    code = "import sys, runner.figures, runner.pictures; print({'matplotlib', 'numpy', 'pydantic'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def full_figure(text: str) -> Figure:
    xs, ys = (1.0, 2.0, 3.0), (0.5, 2.0, 30.0)
    return Figure(
        title=text,
        x_label=text,
        y_label=text,
        rules=(Rule(1.0, text),),
        bands=(Band(text, "#0072b2", xs, (0.4, 1.0, 20.0), (0.6, 3.0, 40.0)),),
        lines=(Line(text, "#d55e00", xs, ys, steps=True), Line(f"_{text}", "#009e73", xs, ys, dashed=True, faint=True)),
        points=tuple(Points(text, look.sign, look.colour, xs, ys, ys, ys) for look in LOOKS.values()),
        marks=(Mark(1.5, text), Mark(2.5, "another", "square", "#009e73")),
        log_y=True,
    )
