"""What a person takes along: into the clipboard, also of a terminal far away, and into files that replace no other."""

from __future__ import annotations

import base64
import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pexpect
import pytest
from runs import write_run
from test_dashboard import NARROW, WIDE, Recorded, until, until_shown

from checkpoints.reader import Reader
from checkpoints.records import BASELINE, Hypothesis, HypothesisStatus, ZoomOut
from tui import clipboard, exports, taken
from tui.app import Dashboard
from tui.clipboard import MOST_BYTES, first_part, sequence
from tui.widgets.experiments import Experiments

HOSTILE = "\x1b]52;c;aGk=\x07[red]\tdata\r\nnext\u202eline"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takeaway") / "run"
    write_run(folder, 12)
    return folder


def decoded(sent: str) -> str:
    """What a terminal would put into its clipboard."""
    found = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sent)
    assert found
    return base64.b64decode(found[1]).decode()


def test_the_clipboard_gets_the_text_as_it_is() -> None:
    text = "win rate\t55.1 %\n漢字 🙂\n"
    assert decoded(sequence(text)) == text
    assert decoded(sequence(text, tmux=True).partition("\x1bPtmux;\x1b")[2]) == text


def test_what_is_too_long_for_a_terminal_is_cut_at_a_line_or_a_character() -> None:
    lines = "".join(f"line {number}: 漢字\n" for number in range(9000))
    part = first_part(lines)
    assert lines.startswith(part) and part.endswith("\n")
    assert 98_000 < len(sequence(part)) < 100_000
    assert first_part("漢" * 50_000) == "漢" * (MOST_BYTES // 3)


async def test_without_tmux_the_sequence_goes_to_the_terminal_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    sent: list[str] = []
    assert await clipboard.put("short", sent.append)
    assert not await clipboard.put("long " * 20_000, sent.append)
    assert [decoded(one)[:5] for one in sent] == ["short", "long "]


async def test_a_tmux_that_does_not_answer_gets_both_sequences(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMUX", f"{tmp_path}/nobody,1,0")
    sent: list[str] = []
    assert await clipboard.put("both", sent.append)
    assert sent == [sequence("both", tmux=True)]


@pytest.mark.skipif(not shutil.which("tmux"), reason="there is no tmux")
async def test_a_tmux_with_its_own_settings_passes_it_on_to_the_terminal_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    socket = str(tmp_path / "tmux")
    around = pexpect.spawn("tmux", ["-S", socket, "-f", "/dev/null", "new", "cat"], dimensions=(24, 80), timeout=10)
    try:
        around.expect(r"\[0\]")
        monkeypatch.setenv("TMUX", f"{socket},1,0")
        sent: list[str] = []
        assert await clipboard.put("from inside", sent.append) and not sent
        around.expect(rb"\x1b\]52;[^;]*;([A-Za-z0-9+/=]+)")
        assert base64.b64decode(around.match.group(1)) == b"from inside"
    finally:
        pexpect.run(f"tmux -S {socket} kill-server")
        around.close(force=True)


def test_an_export_replaces_no_other_and_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports.time, "gmtime", lambda: (2026, 11, 21, 18, 0, 5, 5, 325, 0))
    first = exports.write(tmp_path, "experiments", {"tsv": "a\n", "json": "[]\n"})
    second = exports.write(tmp_path, "experiments", {"tsv": "b\n"})
    assert [path.name for path in first] == ["experiments-20261121T180005Z.tsv", "experiments-20261121T180005Z.json"]
    assert [path.name for path in second] == ["experiments-20261121T180005Z-2.tsv"]
    assert (first[0].read_text(), second[0].read_text()) == ("a\n", "b\n")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "exports"]
    assert len(list((tmp_path / "exports").iterdir())) == 3


async def test_what_fails_while_it_is_made_leaves_no_file(tmp_path: Path) -> None:
    async def maker(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await exports.make(tmp_path, "loss", ("svg",), maker)
    assert not list((tmp_path / "exports").iterdir())


def test_experiments_have_the_columns_of_the_results_and_the_intervals_against_their_opponents(run: Path) -> None:
    with closing(Reader(run)) as reader:
        rows = reader.rows()
    what = taken.experiments(run, [rows[3], rows[10], rows[14]])
    heading, *lines = [line.split("\t") for line in what.text.splitlines()]
    assert heading[:5] == ["commit", "win_rate", "memory_gb", "status", "description"]
    assert [line[heading.index("experiment")] for line in lines] == ["3", "10", "14"]
    kept = json.loads(taken.as_json(what.records))[1]
    assert kept["opponent_win_rate_low"] < kept["opponent_win_rate"] < kept["opponent_win_rate_high"]
    assert kept["anytime_low"] < kept["opponent_win_rate_low"] and kept["low"] < kept["win_rate"] < kept["high"]
    assert json.loads(taken.as_json(what.records))[2]["status"] == "training"


def test_hostile_text_leaves_neither_controls_nor_lines_of_its_own() -> None:
    beliefs = [Hypothesis(1, HOSTILE, HOSTILE, HypothesisStatus.OPEN, (BASELINE,))]
    stock = [ZoomOut(1, "forced", "", HOSTILE, (HOSTILE,), 0.0)]
    what = taken.memory(beliefs, stock)
    for text in (what.text, taken.tsv(what.records), taken.as_json(what.records)):
        assert not set(text) & set("\x1b\x07\r\u202e")
    assert len(taken.tsv(what.records).splitlines()) == 3
    assert "[red]" in what.text


class Terminal:
    """What the dashboard sent beside its pictures, and what it told the person."""

    def __init__(self, app: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        self.sent: list[str] = []
        monkeypatch.delenv("TMUX", raising=False)
        monkeypatch.setattr(app, "say", lambda text, severity="information": self.told.append(str(text)))
        assert app._driver
        monkeypatch.setattr(app._driver, "write", self.sent.append)

    @property
    def clipboard(self) -> str:
        """What was copied last."""
        return decoded(next(one for one in reversed(self.sent) if "\x1b]52;" in one))


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


async def test_a_panel_is_copied_as_it_is_shown_and_the_file_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Dashboard(folder, Recorded())
    async with app.run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #14")
        terminal = Terminal(app, monkeypatch)
        app.main.query_one(Experiments).filter("vetoed")
        parts = {"3": "exp-0008\t", "4": "supported (#1)", "5": "zoom-out 1", "6": "evaluate\t13\tvoters"}
        for taken_so_far, (key, part) in enumerate(parts.items()):
            await pilot.press(key, "y")
            await until(pilot, lambda before=taken_so_far: len(terminal.told) > before)
            assert part in terminal.clipboard
        assert [len(told.split("also in run/exports/")) for told in terminal.told] == [2, 2, 2, 2]
        (table,) = (folder / "exports").glob("experiments-*.tsv")
        assert len(table.read_text().splitlines()) == 2
        assert table.name in terminal.told[0]
        await pilot.press("m")
        assert "the lanes are whole as they are" in terminal.told[-1]


async def test_a_plot_is_exported_as_pictures_and_copied_as_its_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Dashboard(folder, Recorded())
    async with app.run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #14")
        terminal = Terminal(app, monkeypatch)
        await pilot.press("1", "y")
        await until(pilot, lambda: terminal.told)
        assert any(line.startswith("kept\t") for line in terminal.clipboard.splitlines())
        await pilot.press("e")
        await until(pilot, lambda: len(terminal.told) == 2, 60)
    (png,), (svg,) = (list((folder / "exports").glob(f"win-rate-*.{ending}")) for ending in ("png", "svg"))
    assert png.read_bytes()[:4] == b"\x89PNG" and "<svg" in svg.read_text()
    assert terminal.told[1] == f"exported run/exports/{png.name} and .svg"


async def test_a_table_is_exported_for_other_programs_in_the_order_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Dashboard(folder, Recorded())
    async with app.run_test(size=NARROW) as pilot:
        await until_shown(pilot, "champion #10")
        terminal = Terminal(app, monkeypatch)
        await pilot.press("3", "e")
        await until(pilot, lambda: terminal.told)
    (table,) = (folder / "exports").glob("*.json")
    assert [one["experiment"] for one in json.loads(table.read_text())] == list(range(14, -1, -1))
    assert terminal.told == [f"exported run/exports/{table.stem}.tsv and .json"]


async def test_a_page_is_copied_whole_and_says_of_other_keys_where_they_belong(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Dashboard(folder, Recorded())
    async with app.run_test(size=NARROW) as pilot:
        await until_shown(pilot, "champion #10")
        terminal = Terminal(app, monkeypatch)
        await pilot.press("enter", "y")
        await until(pilot, lambda: terminal.told)
        assert terminal.clipboard.startswith("#14 ▶ training") and "Hypothesis" in terminal.clipboard
        await pilot.press("m")
        assert terminal.told[1:] == ["m (Maximise) belongs to the main screen: Esc goes back there"]
    assert list((folder / "exports").glob("detail-14-*.txt"))


async def test_without_room_the_clipboard_still_has_it_and_one_line_says_why_there_is_no_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "exports").touch()
    app = Dashboard(folder, Recorded())
    async with app.run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #14")
        terminal = Terminal(app, monkeypatch)
        await pilot.press("3", "y")
        await until(pilot, lambda: terminal.told)
        await pilot.press("e")
        await until(pilot, lambda: len(terminal.told) == 2)
    assert terminal.told == ["copied 16 lines; not in a file: File exists", "nothing was exported: File exists"]
    assert terminal.clipboard.startswith("commit\t")
