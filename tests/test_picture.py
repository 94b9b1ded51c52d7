"""Pictures without a terminal: each screen by its name, with nothing written into the run and nothing fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from runs import write_run
from terminal import ROOT

from checkpoints.reader import DATABASE
from tui.main import main
from tui.picture import picture, sitting


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("picture") / "run"
    write_run(folder, 12)
    return folder


def files(folder: Path) -> list[Path]:
    """All but those that SQLite keeps beside a store while it is open."""
    return sorted(path for path in folder.rglob("*") if not path.name.startswith(f"{DATABASE}-"))


def screenshot(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui.main", "screenshot", str(folder), *arguments],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env={"PATH": "/usr/bin", **environment},
    )  # fmt: skip


def test_the_command_draws_a_screen_that_needs_nothing_from_elsewhere(run: Path, tmp_path: Path) -> None:
    before = files(run)
    done = screenshot(run.parent, "--screen", "detail:3", "--size", "100x30", "-o", str(tmp_path / "out.svg"))
    assert (done.returncode, done.stderr) == (0, "")
    svg = (tmp_path / "out.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert "beta" in svg and not re.search(r"@font-face|@import|href|src=|url\((?!#)", svg)
    assert 'xml:space="preserve"' in svg
    assert files(run) == before


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (("--screen", "veto:3", "-o", "x.svg"), 1, "experiment 3 is discarded; only a kept one can be vetoed"),
        (("--screen", "detail:99", "-o", "x.svg"), 1, "there is no experiment 99: the newest is #14"),
        (("--screen", "attic", "-o", "x.svg"), 1, "there is no screen attic: main, panel:1 to panel:5, detail:NUMBER"),
        (("--screen", "panel:1:x", "-o", "x.svg"), 1, "no view x of panel 1: win-rate, elo, votes, final-loss"),
        (("--screen", "panel:2:x", "-o", "x.svg"), 1, "no view x of panel 2: loss, rewards/accuracies, log"),
        (("--screen", "panel:3:x", "-o", "x.svg"), 1, "there is no view x of panel 3: it is no plot"),
        (("--theme", "pink", "-o", "x.svg"), 1, "there is no theme pink: "),
        (("-o", "x.png"), 2, "x.png is neither .svg nor .txt"),
        (("--size", "0x40", "-o", "x.svg"), 2, "0x40 is no size; one is 120x40"),
    ],
)
def test_what_cannot_be_pictured_gets_one_line(
    run: Path, arguments: tuple[str, ...], status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended = main(["screenshot", str(run), *arguments])
    except SystemExit as usage:
        ended = usage.code
    assert ended == status
    assert line in capsys.readouterr().err.splitlines()[-1]


async def test_one_sitting_is_pictured_from_screen_to_screen_and_back(run: Path) -> None:
    async with sitting(run, (120, 40)) as sitter:
        seen = [(await sitter.show(name)).text for name in ("main", "panel:2", "detail:10", "veto:10", "main")]
    assert "Experiments" in seen[0] and "Experiments ─" not in seen[1].replace("3 Experiments", "")
    assert "#10 ● kept" in seen[2] and "Veto #10" in seen[3]
    assert seen[4] == seen[0]


async def test_a_plot_is_pictured_in_each_of_its_views_and_is_then_as_it_was(run: Path) -> None:
    wanted = {
        "panel:1:elo": "Elo, the reference has 1000",
        "panel:1:votes": "Votes on #",
        "panel:1:final-loss": "Final training loss by experiment",
        "panel:2:rewards/accuracies": "Reward accuracy #14",
        "panel:2:log": "Loss #14 over champion #10 · log axis",
    }
    async with sitting(run, (120, 40)) as sitter:
        before = (await sitter.show("main")).text
        for name, title in wanted.items():
            assert title in (await sitter.show(name)).text
        assert (await sitter.show("main")).text == before


async def test_without_colour_a_picture_is_grey_and_says_the_same(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_colour = await picture(run)
    monkeypatch.setenv("NO_COLOR", "1")
    grey = await picture(run)
    assert grey.text == in_colour.text
    buttons = {"ff5f57", "febc2e", "28c840"}
    used = set(re.findall(r"fill(?:: |=\")#([0-9a-f]{6})", grey.svg)) - buttons - {"c5c8c6"}
    assert used and all(max(bytes.fromhex(colour)) - min(bytes.fromhex(colour)) <= 3 for colour in used)


def test_a_store_that_cannot_be_read_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    assert main(["screenshot", str(tmp_path), "-o", str(tmp_path / "x.svg")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / DATABASE) in line
    assert not (tmp_path / "x.svg").exists()
