"""A run that cannot be read or steered from here: one line that says why and what to do, and exit status 1."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from runs import write_run
from terminal import Terminal
from test_command_line import ask, one_line

from checkpoints.reader import DATABASE
from checkpoints.schema import NAMES
from checkpoints.store import Store

ROOT = Path(__file__).parents[1]
NOBODY = 65534


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_run(folder / "run", 3)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "study"))


def foreign(run: Path) -> None:
    (run / DATABASE).unlink()
    with closing(sqlite3.connect(run / DATABASE)) as other:
        other.execute("CREATE TABLE trials (id INTEGER)")


def no_database(run: Path) -> None:
    (run / DATABASE).write_bytes(b"not at all a database" * 400)


def cut_off(run: Path) -> None:
    path = run / DATABASE
    os.truncate(path, path.stat().st_size // 2)


def older(run: Path) -> None:
    with closing(sqlite3.connect(run / DATABASE)) as store:
        store.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (NAMES[-1],))
        store.commit()


def newer(run: Path) -> None:
    with closing(sqlite3.connect(run / DATABASE)) as store:
        store.execute("UPDATE _sqlite_migrations SET name = 'm999_later' WHERE name = ?", (NAMES[-1],))
        store.commit()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (foreign, "this database belongs to another program; start in another folder"),
        (no_database, "is damaged"),
        (cut_off, "is damaged"),
        (older, "start the run once to bring it up to date: autoresearch-tui "),
        (newer, "written by a newer autoresearch-tui"),
    ],
)
def test_a_store_that_cannot_be_read_gets_one_line_from_every_command(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    spoil(folder / "run")
    for command in (("status",), ("results",)):
        done = ask(*command, folder)
        assert done.returncode == 1
        assert why in one_line(done), command
    screen = Terminal([sys.executable, "-m", "tui.main", "attach", str(folder)])
    assert screen.ended() == 1
    screen.until("autoresearch-tui: ")
    assert "Traceback" not in screen.text and b"\x1b[?1049h" not in screen.sent


def test_a_folder_that_is_not_there_and_one_that_is_a_file_are_told_so(folder: Path) -> None:
    for command in ("status", "results", "attach"):
        assert "is neither a folder nor a command" in one_line(ask(command, folder / "nowhere"))
    (folder / "program.md").write_text("mine")
    assert f"is a file; give the folder of a program.md: autoresearch-tui {folder}" in one_line(
        ask(folder / "program.md")
    )


class Stranger:
    """Somebody to whom the run of another user is what its permissions say."""

    def __init__(self, run: Path, others: str) -> None:
        """``others``: what they may do, as in ``chmod``: ``rX``, or nothing."""
        self.whose = "nobody" if os.geteuid() == 0 else run.owner()
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                pytest.skip("root is bound by no permissions, and here is no setpriv to change that")
            self._prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
            subprocess.run(["chown", "-R", str(NOBODY), str(run)], check=True)
        subprocess.run(["chmod", "-R", f"u=rwX,go={others}" if self._prefix else f"a={others}", str(run)], check=True)

    def command(self, *arguments: object) -> list[str]:
        return [*self._prefix, sys.executable, "-m", "tui.main", *map(str, arguments)]

    def ask(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip


@pytest.fixture
def stranger(folder: Path) -> Iterator[Callable[[str], Stranger]]:
    yield lambda others: Stranger(folder / "run", others)
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)


def test_a_run_of_another_user_may_be_looked_at_but_not_driven(
    folder: Path, stranger: Callable[[str], Stranger]
) -> None:
    guest = stranger("rX")
    told = guest.ask("status", folder)
    assert told.returncode == 0 and "3 of 20 experiments ended" in told.stdout
    assert guest.ask("results", folder).stdout.count("\n") == 5
    refused = guest.ask("run", "--headless", folder)
    assert refused.returncode == 1
    assert f"run.db belongs to {guest.whose}, and you may not write it" in one_line(refused)
    assert f"to look: autoresearch-tui attach {folder}" in one_line(refused)
    screen = Terminal(guest.command("attach", folder))
    screen.until("champion #")
    screen.press("p")
    screen.until(f"this run belongs to {guest.whose}, who alone may change it; you may look")
    screen.press("q")
    assert screen.ended() == 0


def test_a_live_run_of_another_user_is_known_to_be_held_and_can_be_read(
    folder: Path, stranger: Callable[[str], Stranger]
) -> None:
    with Store(folder / "run"):
        guest = stranger("rX")
        told = guest.ask("status", folder)
        assert told.returncode == 0 and f"held by process {os.getpid()}" in told.stdout
        refused = guest.ask("run", "--headless", folder)
        assert refused.returncode == 3 and f"held by process {os.getpid()}" in one_line(refused)


def test_a_run_that_its_owner_shows_to_nobody_gets_one_line(folder: Path, stranger: Callable[[str], Stranger]) -> None:
    guest = stranger("")
    for command in (("status",), ("results",), ("run", "--headless"), ()):
        done = guest.ask(*command, folder)
        assert done.returncode == 1
        assert f"belongs to {guest.whose}" in one_line(done), command
