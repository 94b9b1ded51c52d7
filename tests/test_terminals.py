"""Terminals as they are: colours that can be read and told apart, characters that are as wide as they say, any size."""

import ast
import asyncio
import itertools
import os
import pty
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eyes import SIGHTS, contrast, distance
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from runs import write_run
from terminal import ROOT
from test_dashboard import Recorded, until, until_shown
from test_terminal import PROGRAM, show
from textual.color import Color as Ground
from textual.theme import Theme

from checkpoints import writes
from checkpoints.records import Level
from checkpoints.store import Store
from tui import signs
from tui.app import Dashboard
from tui.glyphs import in_ascii, isolated, speaks_unicode, tamed
from tui.signs import LEVELS, RUN_STATES, STATES
from tui.terminals import Sturdy
from tui.themes import BY_DAY, DAY, NIGHT, THEMES, colours_for, theme_for

WORDS = ("BLUE", "ORANGE", "GREEN", "RED", "PINK", "YELLOW", "BRIGHT", "GREY")
"""Colours that text is written in; the others draw lines."""

CONSOLE = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
    (255, 255, 255),
)  # fmt: skip
XTERM = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
"""What sixteen colours are on the Linux console and in xterm."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "run"
    write_run(folder, 6)
    return folder


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def on_screen(style: str, theme: Theme, system: ColorSystem | None, coloured: bool = True) -> Style:
    """What a style is when it reaches the terminal."""
    segments = [Segment("x", Style.parse(style))]
    for translation in colours_for(theme.name, system, coloured):
        segments = translation.apply(segments, Ground.parse(theme.background or ""))
    assert segments[0].style
    return segments[0].style


def rgb(colour: Color | None, system: ColorSystem = ColorSystem.TRUECOLOR) -> ColorTriplet:
    assert colour
    return colour.downgrade(system).get_truecolor()


def text_on_grounds(theme: Theme) -> Iterator[tuple[str, str, str]]:
    """Every colour of words on every ground that words stand on; those of the run are drawn in the night's."""
    for ground in map(str, (theme.background, theme.panel, signs.CURSOR)):
        for name in WORDS:
            yield name, getattr(signs, name), ground
        yield "foreground", str(theme.foreground), ground


@pytest.mark.parametrize("system", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_all_words_stand_out_from_every_ground(theme: Theme, system: ColorSystem) -> None:
    for name, colour, ground in text_on_grounds(theme):
        style = on_screen(f"{colour} on {ground}", theme, system)
        assert contrast(rgb(style.color, system), rgb(style.bgcolor, system)) >= 4.5, (name, ground)


@pytest.mark.parametrize("palette", [CONSOLE, XTERM], ids=["console", "xterm"])
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_with_sixteen_colours_too(theme: Theme, palette: tuple[tuple[int, int, int], ...]) -> None:
    for name, colour, ground in text_on_grounds(theme):
        style = on_screen(f"{colour} on {ground}", theme, ColorSystem.STANDARD)
        assert style.color and style.bgcolor and style.color.number is not None and style.bgcolor.number is not None
        assert contrast(palette[style.color.number], palette[style.bgcolor.number]) >= 4.5, (name, ground)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_the_colours_of_states_differ_for_all_kinds_of_eyes(theme: Theme, sight: str) -> None:
    colours = {name: on_screen(getattr(signs, name), theme, None).color for name in WORDS if name != "BRIGHT"}
    for one, other in itertools.combinations(colours, 2):
        assert distance(rgb(colours[one]), rgb(colours[other]), sight) >= 10, (one, other)


def test_no_colour_of_the_day_is_taken_for_one_of_the_night() -> None:
    assert not set(BY_DAY) & {*BY_DAY.values(), DAY.foreground, DAY.background, DAY.panel, DAY.surface}


def test_without_colour_the_cursor_is_reversed_and_lines_are_dim() -> None:
    chosen = on_screen(f"bold {signs.BLUE} on {signs.CURSOR}", NIGHT, None, coloured=False)
    assert chosen.reverse and chosen.bold and chosen.color == Color.default() == chosen.bgcolor
    assert on_screen(signs.FAINT, NIGHT, None, coloured=False).dim
    assert not on_screen(f"{signs.GREY} on {NIGHT.panel}", NIGHT, None, coloured=False).reverse


@pytest.mark.parametrize(
    ("said", "name"),
    [("", "night"), ("15;0", "night"), ("0;15", "day"), ("0;default;15", "day"), ("12;7", "day"), ("x", "night")],
)
def test_a_terminal_that_says_that_it_is_light_gets_the_day(said: str, name: str) -> None:
    assert theme_for({"COLORFGBG": said}).name == name


@pytest.mark.parametrize(
    ("environment", "speaks"),
    [
        ({}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LANG": "C.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "POSIX"}, False),
        ({"LANG": "en_US"}, False),
        ({"LANG": "de_DE.ISO-8859-1", "LC_ALL": ""}, False),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, False),
    ],
)
def test_the_locale_says_whether_there_is_unicode(environment: dict[str, str], speaks: bool) -> None:
    assert speaks_unicode(environment) is speaks


def test_every_sign_that_is_drawn_has_an_ascii_one_of_its_own() -> None:
    for table in (STATES, RUN_STATES, LEVELS):
        marks = [in_ascii(sign.mark) for sign in table.values()]
        assert len({*marks}) == len(marks) and "?" not in marks
    drawn = {character for path in (ROOT / "tui").rglob("*.py") for character in spoken(path)}
    assert not {character for character in drawn if "?" in in_ascii(character)}


def spoken(path: Path) -> Iterator[str]:
    """Characters beyond ASCII in a module's texts, docstrings aside."""
    if path.name == "glyphs.py":
        return
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield from (character for character in node.value if not character.isascii())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\N{ZERO WIDTH SPACE}b\N{SOFT HYPHEN}c\ufeff", "abc"),
        ("👨\u200d👩\u200d👧 family", "👨 family"),
        ("🇩🇪 or ❤️", "DE or ❤"),
        ("👍🏽 1️⃣", "👍 1"),
        ("e\u0301\u0302\u0303\u0304\u0305\u0306 zalgo", "é\u0302\u0303 zalgo"),
        ("one\u2028two\u00a0three", "one\ntwo three"),
        ("\ue000 \U000ffffe", "\ufffd \ufffd"),
        ("漢字\tשלום", "漢字\tשלום"),
    ],
)
def test_what_terminals_draw_at_different_widths_is_drawn_plainly(text: str, shown: str) -> None:
    assert tamed(text) == shown


def test_ascii_is_as_wide_as_what_it_stands_for() -> None:
    texts = ["漢字 is two", "naïve Übermut", "⠁⠶⣿", "▶ → ±…", "👨\u200d👩\u200d👧!", "e\u0301", "שלום"]
    shown = [in_ascii(text) for text in texts]
    assert all(text.isascii() for text in shown)
    assert [cell_len(text) for text in shown] == [cell_len(text) for text in texts]
    assert shown[:2] == ["???? is two", "naive Ubermut"]


def test_right_to_left_text_takes_nothing_along_that_stands_beside_it() -> None:
    mark = "\N{LEFT-TO-RIGHT MARK}"
    assert isolated("│ שלום, עולם  55.1 %") == f"│ {mark}שלום, עולם{mark}  55.1 %"
    assert isolated("left → right") == "left → right"
    assert cell_len(isolated("שלום")) == 4


async def test_the_theme_changes_at_once_and_everywhere(written: Path, recorded: Recorded) -> None:
    async with Dashboard(written, recorded).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "champion #5", "candidate #8")
        for theme, others in ((DAY, {*BY_DAY, NIGHT.background}), (NIGHT, {*BY_DAY.values(), DAY.background})):
            pilot.app.simulate_key("ctrl+p")
            await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
            await pilot.press(*"theme", "down", "enter")
            await until(pilot, lambda theme=theme: pilot.app.theme == theme.name and len(pilot.app.screen_stack) == 1)
            picture = pilot.app.export_screenshot()
            assert str(theme.background) in picture and not {colour for colour in others if str(colour) in picture}


async def test_a_terminal_too_small_gets_one_line_until_there_is_room_again(written: Path, recorded: Recorded) -> None:
    async with Dashboard(written, recorded).run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "champion #5", "candidate #8")
        await pilot.press("p")
        await until_shown(pilot, "After this stage")
        await pilot.resize_terminal(50, 12)
        screen = await until_shown(pilot, "this terminal is 50×12", "The loop runs on")
        assert "stage" not in screen and "champion" not in screen
        await pilot.resize_terminal(20, 4)
        await until_shown(pilot, "20×4: the dashboard", "needs 60×16")
        await pilot.resize_terminal(60, 16)
        await until_shown(pilot, "After this stage")
        await pilot.press("escape")
        await until_shown(pilot, "[1 Win]", "q Quit…")


async def test_any_size_at_any_moment_is_drawn_and_the_last_one_stays(written: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "run"))
    chance = random.Random(3)
    with Store(folder) as store:
        async with Dashboard(folder, Recorded(), store.listen).run_test(size=(120, 40)) as pilot:
            await until_shown(pilot, "champion #5", "candidate #8")
            for turn in range(12):
                store.submit(writes.event, Level.INFO, "run", f"turn {turn} 漢字 🙂").result()
                pilot.app.simulate_key(chance.choice(["tab", "j", "m", "1", "4", "question_mark", "escape", "p"]))
                await pilot.resize_terminal(*chance.choice([(1, 1), (200, 60), (59, 16), (61, 17), (20, 5), (80, 24)]))
            await pilot.press(*["escape"] * 4)
            await pilot.resize_terminal(120, 40)
            await until_shown(pilot, "turn 11 漢字 🙂", "Experiments", "q Quit…")


def test_where_the_locale_has_no_unicode_nothing_but_ascii_is_sent(written: Path) -> None:
    terminal = show(written, LC_ALL="C")
    try:
        terminal.until("* champion", "o discarded", "~ inconclusive", "> training", "V vetoed", "candidate #8")
        terminal.press("p")
        terminal.until("After this stage")
        terminal.press("\x1b", "?")
        terminal.until("Every", "o", seconds=10)
        assert terminal.sent.isascii()
    finally:
        terminal.child.close(force=True)


@pytest.mark.parametrize(("said", "ground", "cursor"), [("", b"40", b"47"), ("0;15", b"107", b"40")])
def test_sixteen_colours_are_chosen_and_not_the_nearest(written: Path, said: str, ground: bytes, cursor: bytes) -> None:
    terminal = show(written, TERM="xterm", COLORTERM="", COLORFGBG=said)
    try:
        terminal.until("champion #5", "candidate #8")
        styles = {style for style in re.findall(rb"\x1b\[([\d;]*)m", terminal.sent) if style and style != b"0"}
        assert {style.split(b";")[-1] for style in styles} == {ground, cursor}
        assert not [style for style in styles if b"38;" in style]
    finally:
        terminal.child.close(force=True)


def test_a_byte_that_is_no_utf_8_is_no_end(written: Path) -> None:
    terminal = show(written)
    try:
        terminal.until("champion #5", "q Quit…")
        terminal.child.send(b"\xe9")
        terminal.press("j", "?")
        terminal.until("Help")
        assert terminal.child.isalive()
    finally:
        terminal.child.close(force=True)


def test_what_is_printed_where_there_is_no_unicode_has_question_marks_and_is_no_error(written: Path) -> None:
    command = [sys.executable, "-m", "tui.main", "results", str(written)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0 and done.stdout.isascii() and b" ? " in done.stdout


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Calls of a tmux server of the test's own, without anybody's settings."""

    def call(*arguments: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull, "-u", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    yield call
    call("kill-server")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_inside_tmux_keys_and_sizes_arrive_and_the_screen_is_given_back(
    written: Path, tmux: Callable[..., str], tmp_path: Path
) -> None:
    script = tmp_path / "show.py"
    script.write_text(PROGRAM, encoding="utf-8")
    tmux("new-session", "-d", "sh")
    tmux("resize-window", "-x", "120", "-y", "40")
    tmux("send-keys", f"COLUMNS=80 LINES=24 PYTHONPATH={ROOT} {sys.executable} {script} {written}", "Enter")

    def until_there(*texts: str) -> str:
        for _ in range(200):
            screen = tmux("capture-pane", "-p")
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.1)
        pytest.fail(f"{texts} did not come; on the screen:\n{screen}")

    until_there("champion #5", "candidate #8")
    tmux("send-keys", "?")
    until_there("Help", "Esc back")
    tmux("resize-window", "-x", "40", "-y", "10")
    assert "Help" not in until_there("this terminal is 40×10")
    tmux("resize-window", "-x", "80", "-y", "24")
    until_there("Help", "Esc back")
    tmux("send-keys", "Escape")
    until_there("[1 Win rate]")
    tmux("send-keys", "q")
    until_there("Detach")
    tmux("send-keys", "Enter")
    assert "Experiments" not in until_there("left: detach")


async def test_who_reads_keys_ends_with_the_terminal(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    driver = Sturdy(Dashboard(tmp_path / "run", Recorded()))
    driver.fileno = slave
    reading = threading.Thread(target=driver.run_input_thread, daemon=True)
    reading.start()
    os.close(master)
    await asyncio.to_thread(reading.join, 10)
    ended = not reading.is_alive()
    driver.exit_event.set()
    os.close(slave)
    assert ended, "a terminal that is gone can be read for ever, and never says anything"
