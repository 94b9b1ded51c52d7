"""The dashboard in a real pseudo-terminal: what it sends, what is to be seen there, and how it leaves."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import write_run
from terminal import Terminal

from checkpoints import writes
from checkpoints.records import Proposal, RunState
from checkpoints.store import Store

PROGRAM = """
import sys
from pathlib import Path
from tui.app import Dashboard

async def intervene(step, experiment, reason, detail):
    return 1

left = Dashboard(Path(sys.argv[1]), intervene, owned=True).run(mouse=False)
print(f"left: {left}")
"""


def show(folder: Path, **environment: str) -> Terminal:
    return Terminal([sys.executable, "-c", PROGRAM, str(folder)], **environment)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "run"
    write_run(folder, 6)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


@pytest.fixture
def terminal(folder: Path) -> Iterator[Terminal]:
    shown = show(folder)
    yield shown
    shown.child.close(force=True)


def test_it_paints_follows_the_size_and_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.until("champion #5", "24/40 steps", "candidate #8", "q Quit…")
    terminal.screen.resize(24, 80)
    terminal.child.setwinsize(24, 80)
    terminal.until("[1 Win rate]", "q Quit…")
    terminal.child.send("q")
    terminal.until("Detach", "Drain", "Stop")
    terminal.child.send("\r")
    terminal.read(5)
    assert b"left: detach" in terminal.sent
    assert b"\x1b[?1049l" in terminal.sent and b"\x1b[?25h" in terminal.sent


@pytest.mark.slow
def test_an_idle_run_sends_nothing(folder: Path, terminal: Terminal) -> None:
    terminal.until("champion #5", "candidate #8")
    with Store(folder) as store:
        store.submit(writes.set_run, RunState.PAUSED, "by a person").result()
        terminal.until("PAUSED by a person")
    terminal.read(2)
    assert terminal.read(4) == b""


def test_the_mouse_stays_the_terminals(terminal: Terminal) -> None:
    terminal.until("champion #5")
    assert not any(b"\x1b[?%dh" % mode in terminal.sent for mode in (1000, 1002, 1003, 1006, 1015))


def test_no_escape_of_a_models_text_reaches_the_terminal(folder: Path) -> None:
    with Store(folder) as store:
        evil = "before \x1b]52;c;ZXZpbA==\x07 \x1b[31;5m \x9b2J after"
        store.submit(writes.propose, Proposal(evil, "data", None, "agent")).result()
    terminal = show(folder)
    try:
        terminal.until("before ]52;c;ZXZpbA==", "after")
        sent = terminal.sent.decode()
        assert not [escape for escape in ("\x1b]52", "\x1b[31;5m", "\x9b") if escape in sent]
    finally:
        terminal.child.close(force=True)


def test_without_colour_every_state_still_has_its_sign(folder: Path) -> None:
    terminal = show(folder, NO_COLOR="1")
    try:
        terminal.until("● champion", "○ discarded", "◐ inconclusive", "▶ training", "⊘ vetoed")
        cells = [cell for row in terminal.screen.buffer.values() for cell in row.values()]
        assert {cell.fg for cell in cells} == {cell.bg for cell in cells} == {"default"}
        chosen = next(y for y, line in enumerate(terminal.screen.display) if line.startswith("┃▸"))
        assert [y for y in range(40) if terminal.screen.buffer[y][2].reverse] == [chosen]
    finally:
        terminal.child.close(force=True)
