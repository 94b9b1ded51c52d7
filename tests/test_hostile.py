"""Hostile text on every screen: the terminal gets no order from it, the screen is drawn, and keys are answered."""

import json
import os
import re
import shutil
import sqlite3
import sys
import time
import unicodedata
from contextlib import closing
from pathlib import Path

import pexpect
import pytest
from agent_runs import write_agent_run
from hostile import INSIDE, OWN, PAYLOADS, PLACES, poison
from rich.cells import cell_len
from rich.segment import Segment
from sqlite_utils import Database
from terminal import ROOT, Terminal
from textual.color import Color

from checkpoints import writes
from checkpoints.reader import DATABASE
from checkpoints.records import Step
from checkpoints.store import Store
from checkpoints.text import clean
from tui.glyphs import Characters
from tui.widgets.lines import paragraphs, said, wrapped

BIDIRECTIONAL = re.compile("[\u061c\u200f\u202a-\u202e\u2066-\u2069]")
SEQUENCE = re.compile(rb"\x1b\[[?>=<]?[\d;:]*[ $!\"']?[@-~]|\x1b\]22;default\x07")
"""What Textual sends: cursor, colours, modes, and the pointer's shape."""

KINDS = {b"\x1b[m", b"\x1b[H", b"\x1b[?h", b"\x1b[?l", b"\x1b[?$p", b"\x1b[>u", b"\x1b[<u", b"\x1b]default\x07"}
"""The same without numbers."""

ESCAPE = "\x1b"

PARTS = 4
"""In which all texts are taken through all places."""

PROGRAM = """
import sys
from pathlib import Path
from tui.app import Dashboard

async def intervene(step, experiment, reason, detail):
    return 1

left = Dashboard(Path(sys.argv[1]), intervene, owned=True, told=sys.argv[2]).run(mouse=False)
print("drew", *sorted(name for name in sys.modules if name.startswith("tui.screens.")))
"""
"""The dashboard, which is told something when it begins, and says at its end which screens there were."""

SCREENS = (
    ("4", ""), ("m", ""), ("5", ""), ("m", ""), ("3", ""),
    ("\r", "Verdict"), ("G", "Lanes"), ("q", ""), ("?", "Esc back"), ("q", ""), ("Z", "Stock taken"), ("q", ""),
    ("E", "9 of 9"), ("G", ""), ("hh", "7 of 9"), ("q", ""), ("M", "Your notes"), ("c", "Change a note"),
    (ESCAPE, ""), ("q", ""), ("A", "What it would try"), (ESCAPE, ""), ("T", "branched from"), ("kk", ""), ("q", ""),
    ("r", "tried, 20 allowed"), ("G", "What went wrong"), ("q", ""), ("a", "blind, as"), (ESCAPE, ""),
    ("u", "Undo the resume"), (ESCAPE, ""), ("i", "field = value"), (ESCAPE, ""), ("x", "Skip #8"), (ESCAPE, ""),
    ("jj", ""), ("t", "Try #6 again"), (ESCAPE, ""), ("j", ""), ("v", "Veto #5"), (ESCAPE, ""),
    ("j", ""), ("o", "Keep #4 anyway"), (ESCAPE, ""), ("c", "Pin #4"), (ESCAPE, ""),
    ("R", "R again"), ("G", ""), ("q", ""), ("p", "After this stage"), (ESCAPE, ""),
    ("z", "the agent steps back"), (ESCAPE, ""), ("/", "show all"),
    ("e", ""), (ESCAPE, ""), ("\x10", ""), (ESCAPE, ""), ("s", ""), ("w", ""),
)  # fmt: skip
"""Keys that open what shows text from outside and close it, and what is on the screen when it is all there."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "run"
    write_agent_run(folder, 6)
    with Store(folder) as store:
        store.submit(go_on).result()
    return folder


def go_on(db: Database) -> None:
    """A step that can be undone."""
    writes.acknowledge(db, writes.intervene(db, Step.RESUME, None, "lunch"), "the run went on", {"when": "stage"})


def kinds(sent: bytes) -> set[bytes]:
    """What a terminal was ordered to do, without the numbers."""
    return {re.sub(rb"[\d;:]", b"", sequence) for sequence in SEQUENCE.findall(sent)}


def visited(folder: Path, told: str) -> bytes:
    """All that is sent while a person looks at every screen."""
    terminal = Terminal([sys.executable, "-c", PROGRAM, str(folder), told])
    try:
        terminal.until("Experiments", "q Quit…", "candidate #8")
        for keys, there in SCREENS:
            terminal.child.send(keys)
            if there:
                terminal.until(there)
            else:
                terminal.read(0.15 if keys == ESCAPE else 0.05)  # an Escape and the next key soon after it are one key
        terminal.child.send("?")
        terminal.until("Help", "Esc back")
        terminal.child.send("q")
        terminal.until("Experiments · by", "q Quit…")
        for rows, columns, there in ((8, 30, "needs"), (40, 120, "q Quit…")):
            terminal.screen.resize(rows, columns)
            terminal.child.setwinsize(rows, columns)
            terminal.until(there)
        terminal.child.send("q")
        terminal.until("Detach", "Drain", "Stop")
        terminal.child.send("\r")
        terminal.ended()
        return terminal.sent
    finally:
        terminal.child.close(force=True)


@pytest.mark.slow
@pytest.mark.parametrize("turned", range(3))
@pytest.mark.parametrize("group", PAYLOADS)
def test_no_text_gives_orders_to_the_terminal_or_ends_the_screen(
    written: Path, tmp_path: Path, group: str, turned: int
) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "run"))
    first = turned * len(PAYLOADS[group]) // 3  # another text in each place
    payloads = PAYLOADS[group][first:] + PAYLOADS[group][:first]
    poison(folder, payloads)
    sent = visited(folder, next(text for text in payloads if len(text) < 9000 and "\x00" not in text))
    assert drawn(sent) == screens(), "each screen there is is among those that are looked at"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("group", PAYLOADS)
def test_every_place_with_every_text_of_a_page_gives_no_order_either(written: Path, group: str, part: int) -> None:
    walk = [sys.executable, str(ROOT / "tests/hostile_walk.py"), str(written), group, str(part), str(PARTS)]
    terminal = pexpect.spawn(
        walk[0], walk[1:], dimensions=(40, 120), cwd=str(written.parent), timeout=170,
        env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )  # fmt: skip
    try:
        sent = terminal.read()
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 0, sent[-1000:]
    assert drawn(sent) == screens() - {"tui.screens.small"}, "but the one that says that there is no room"


def test_every_column_of_text_is_known_as_a_place_or_as_our_own_words(written: Path) -> None:
    with closing(sqlite3.connect(written / DATABASE)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        text = {
            (table, name)
            for table in tables
            for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")
            if kind.upper() == "TEXT"
        }
    assert text == {(table, name) for known in (PLACES, INSIDE, OWN) for table in known for name in known[table]}


def drawn(sent: bytes) -> set[str]:
    """The screens that were drawn, where no byte of all that was sent is an order that Textual does not give."""
    assert kinds(sent) <= KINDS
    rest = SEQUENCE.sub(b"", sent).decode()
    assert not {character for character in rest if unicodedata.category(character) == "Cc"} - set("\r\n")
    assert not BIDIRECTIONAL.search(rest)
    names = re.search(r"drew ([\w. \r\n]+)", rest)
    assert names
    return set(names[1].split())


def screens() -> set[str]:
    """Every module that has a screen."""
    return {f"tui.screens.{file.stem}" for file in (ROOT / "tui/screens").glob("*.py") if file.stem != "__init__"}


def test_there_are_two_hundred_texts_and_more() -> None:
    assert len({text for texts in PAYLOADS.values() for text in texts}) >= 200


@pytest.mark.parametrize("unicode", [True, False])
def test_none_of_them_passes_the_last_look_before_the_terminal(unicode: bool) -> None:
    for payload in (text for texts in PAYLOADS.values() for text in texts if len(text) < 10_000):
        drawn = Characters(unicode).apply([Segment(payload)], Color.parse("black"))
        text = "".join(segment.text for segment in drawn)
        assert not {letter for letter in text if unicodedata.category(letter) == "Cc"} - {"\n", "\t"}, payload
        assert not BIDIRECTIONAL.search(text), payload


@pytest.mark.parametrize("group", PAYLOADS)
def test_whatever_is_said_can_be_drawn_and_is_as_wide_as_its_cells(group: str) -> None:
    for payload in PAYLOADS[group]:
        line, page = said(payload).plain, paragraphs(payload).plain
        assert not [
            text for text in line + page if unicodedata.category(text) in ("Cc", "Cf", "Cs", "Cn") and text != "\n"
        ]
        assert "\n" not in line
        assert cell_len(line) == sum(map(cell_len, line))


def test_a_million_characters_cost_no_more_than_a_page() -> None:
    started = time.perf_counter()
    for payload in PAYLOADS["long"]:
        said(payload)
        wrapped(said(payload), 60)
        paragraphs(payload)
    assert (time.perf_counter() - started) / len(PAYLOADS["long"]) < 0.05


def test_half_a_character_of_a_models_json_can_be_kept_and_sent() -> None:
    assert clean(json.loads('"a\\ud83d b"')) == "a\ufffd b"


def test_nothing_that_a_widget_forgets_to_clean_reaches_the_terminal() -> None:
    forgotten = Segment("a\x1b]52;c;ZXZpbA==\x07b\x9bc\u202ed 漢 e")
    for unicode, sent in ((True, "a]52;c;ZXZpbA==bcd 漢 e"), (False, "a]52;c;ZXZpbA==bcd ?? e")):
        drawn = Characters(unicode).apply([forgotten], Color.parse("black"))
        assert drawn[0].text == sent and drawn[0].cell_length == forgotten.cell_length
