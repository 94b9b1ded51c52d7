"""A hundred ways out of a script's confinement: tried by real processes and real git, to no avail, and all named."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pty
import secrets
import socket
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from escapes import (
    ALTERED,
    CANARY,
    CONTAINED,
    ENDINGS,
    KEEPER,
    LATER,
    LEFT,
    OURS,
    PROCESSES,
    PROPOSED,
    REACHES,
    READS,
    WRITES,
    Try,
    script,
)
from script_runs import SCRIPT, edit, git, repository, session_of, until, verdicts

from checkpoints import writes
from checkpoints.records import State, Step
from lanes.script.sandbox import Confinement, available
from runner.session import Session

CAN: Confinement = asyncio.run(available())
pytestmark = pytest.mark.skipif(not (CAN.network and CAN.files), reason=f"this machine cannot confine: {CAN.why}")

TELLING = tuple(
    one
    for one in CONTAINED
    if one.name
    in {
        "more in a file of others", "modes of a file of others", "the program of the person", "its own results",
        "limits of another process", "a signal to another process", "what is typed at a terminal",
        "a key for logging in", "the record of the run", "the environment of another process",
        "passwords of the machine", "a service on this machine", "the host of a virtual machine",
    }
)  # fmt: skip


class Outside:
    """What a script must not reach, and what it would have to do for that."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.project, self.out, self.home = folder / "project", folder / "out", folder / "home"
        for path in (".ssh/id", ".aws/credentials", ".netrc", ".cache/huggingface/token", ".bashrc"):
            (self.home / path).parent.mkdir(parents=True, exist_ok=True)
            (self.home / path).write_text(CANARY)
        self.out.mkdir()
        (self.out / "votes").write_text(CANARY)
        self.project.mkdir()
        (self.project / ".env").write_text(CANARY)
        (self.project / ".gitignore").write_text(".env\n")
        server = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listeners = [server, *(held.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))]
        abstract = f"escapes-{secrets.token_hex(8)}"
        self.listeners[1].bind(str(folder / "listens"))
        self.listeners[2].bind(f"\0{abstract}")
        for one in self.listeners[1:]:
            one.listen()
        master, terminal = pty.openpty()
        held.callback(os.close, master)
        held.callback(os.close, terminal)
        self.places: dict[str, Any] = {
            "OUT": str(self.out), "PROJECT": str(self.project), "RUN": str(self.project / "run"),
            "PARENT": os.getpid(), "GROUP": os.getpgrp(),
            "PRODUCT": str(Path(__file__).parents[1]), "HOME": str(self.home), "PORT": server.getsockname()[1],
            "SOCKET": str(folder / "listens"), "ABSTRACT": abstract, "TERMINAL": os.ttyname(terminal),
        }  # fmt: skip
        self._before = self._files()

    def is_untouched(self) -> bool:
        """Whether files are what they were, with their modes and times, and nobody has knocked."""
        for one in self.listeners:
            one.setblocking(False)
            with pytest.raises(BlockingIOError):
                one.accept()
        left = [*Path("/tmp").glob("escaped-*"), *Path("/var/tmp").glob("escaped-*")]
        return self._files() == self._before and not left

    def _files(self) -> dict[str, tuple[object, ...]]:
        found = [path for folder in (self.out, self.home) for path in (folder, *folder.rglob("*"))]
        return {str(path): (path.is_dir() or path.read_bytes(), *_about(path)) for path in found}


@contextmanager
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Outside]:
    """An outside, with a key of the session in the kernel where that has any."""
    with ExitStack() as held:
        outside = Outside(folder, held)
        monkeypatch.setenv("HOME", str(outside.home))
        ctypes.CDLL(None).syscall(ctypes.c_long(248), b"user", b"escapes", CANARY.encode(), len(CANARY), -3)
        yield outside


def _about(path: Path) -> tuple[object, ...]:
    found = path.stat()
    return found.st_mode, found.st_mtime_ns if path.is_file() else 0, tuple(os.listxattr(path))


def whole(name: str, text: str) -> dict[str, Any]:
    """A proposal of another text for the script."""
    return edit(name, "", "", "code") | {"change": {"field": "train.py", "new": {"whole": text}}}


async def session_through(outside: Outside, proposals: Sequence[dict[str, Any]]) -> Session:
    """A run of these proposals, to its end; the session is to be closed."""
    folder = repository(outside.project, experiments=len(proposals), more="  repairs: 0\n")
    session, _ = session_of(folder, list(proposals))
    await asyncio.wait_for(session.run(), 170)
    return session


def events(session: Session, experiment: int | None = None) -> str:
    """All that the event log says, of one experiment where one is named."""
    found = session.store.read.events()
    return "\n".join(one.text for one in found if experiment is None or one.experiment == experiment)


def unnamed(said: str, tries: Sequence[Try]) -> list[str]:
    """Tries that no event names."""
    return [one.name for one in tries if f"it was refused: {one.name}: " not in said]


def test_there_are_a_hundred_of_them_and_no_name_is_there_twice() -> None:
    names = [one.name for one in CONTAINED]
    assert len(names) == len(set(names))
    assert len(CONTAINED) + len(PROPOSED) + len(ALTERED) + len(LEFT) + len(ENDINGS) >= 100


async def test_what_a_script_tries_is_refused_and_each_refusal_is_in_the_event_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch) as outside:
        folder = repository(outside.project, script(outside.places, TELLING), model="playbook")
        session, _ = session_of(folder, [], linger=True)
        run = asyncio.create_task(session.run())
        try:
            await until(lambda: session.store.read.count(State.KEPT))
            said = events(session)
            assert not unnamed(said, TELLING), said
            assert outside.is_untouched()
        finally:
            await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
            await asyncio.wait_for(run, 20)
            await session.close(keep_workers=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tries",
    [WRITES, OURS, LATER, READS, REACHES, PROCESSES, KEEPER],
    ids=["writes", "ours", "later", "reads", "reaches", "processes", "keeper"],
)
async def test_whatever_a_script_tries_is_refused(
    tries: tuple[Try, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch) as outside:
        session = await session_through(outside, [whole("all of these", script(outside.places, tries))])
        try:
            said = events(session, 1)
            assert "ESCAPED" not in str([stage.result for stage in session.store.read.stages()])
            assert not unnamed(said, tries), said
            assert outside.is_untouched()
            assert git(outside.project, "status", "--porcelain") == ""
        finally:
            await session.close(keep_workers=False)


@pytest.mark.slow
async def test_each_way_to_alter_a_protected_file_is_named_tampering_and_the_next_run_has_the_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch) as outside:
        (outside.project / "sub").mkdir()
        for name, _ in ALTERED[:-2]:
            (outside.project / name).write_text(f"# {name}\n")
        (outside.project / "e.py").write_text("# e\n")
        tries = tuple(Try(name, code) for name, code in ALTERED)
        look = f"import os\nprint([os.path.getsize(name) for name in {[name for name, _ in ALTERED]}])\n{SCRIPT}"
        session = await session_through(outside, [whole("alter", script(outside.places, tries)), whole("look", look)])
        try:
            said = events(session, 1)
            assert "tampering" in said
            assert not [name for name, _ in ALTERED if f" {name}" not in said], said
            assert verdicts(session)[2][0] == "discarded"  # it found its files, and is no better
            assert outside.is_untouched()
        finally:
            await session.close(keep_workers=False)


@pytest.mark.slow
async def test_what_a_script_leaves_for_git_or_the_next_run_is_named_and_does_not_outlast_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch) as outside:
        tries = tuple(Try(name, code) for name, code in LEFT)
        leave = script(outside.places, tries).replace("ESCAPED", "left")
        look = f"import os\nassert not [name for name in {[name for name, _ in LEFT]} if os.path.lexists(name)]\n"
        session = await session_through(outside, [whole("leave", leave), whole("look", look + SCRIPT)])
        try:
            said = events(session, 1)
            assert not [name for name, _ in LEFT if f"it left {name}, which does not outlast the run" not in said], said
            assert verdicts(session)[2][0] == "discarded"
            assert outside.is_untouched()
        finally:
            await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_number_that_is_no_measurement_is_no_best_and_its_event_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path, monkeypatch) as outside:
        session = await session_through(outside, [whole(one.name, f"{one.code}\n") for one in ENDINGS])
        try:
            states = [state for state, _ in verdicts(session)]
            assert states == ["kept", *["crashed"] * len(ENDINGS)]
            said = {one.name: events(session, number) for number, one in enumerate(ENDINGS, 1)}
            assert not [one.name for one in ENDINGS if one.ends not in said[one.name]], said
        finally:
            await session.close(keep_workers=False)


@pytest.mark.slow
async def test_what_may_not_be_proposed_is_refused_and_each_refusal_is_in_the_event_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.offers.FIRST_SECONDS", 0.01)
    with world(tmp_path, monkeypatch) as outside:
        proposals = [edit(one.name, "", "") | {"change": one.change} for one in PROPOSED]
        folder = repository(outside.project, experiments=1)
        session, model = session_of(folder, proposals, linger=True)
        run = asyncio.create_task(session.run())
        try:
            while model._proposals:
                await until(lambda: not model._proposals or _paused(session))
                if _paused(session):  # it gives up now and then, and a person lets it go on
                    await session.store.do(writes.intervene, Step.RESUME, None, "", {})
                    await until(lambda: not _paused(session))
            await until(lambda: events(session).count("a proposal of openai/said was refused") == len(PROPOSED))
            said = events(session)
            assert not [one.name for one in PROPOSED if one.refused not in said], said
            fields = [one.change["field"] for one in PROPOSED if one.refused == "is not open to edits"]
            missing = [field for field in fields if f"refused: {field.replace(chr(0), '')}: is not open" not in said]
            assert not missing, said
            assert session.store.read.count() == 1 and outside.is_untouched()
        finally:
            await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
            await asyncio.wait_for(run, 20)
            await session.close(keep_workers=False)


def _paused(session: Session) -> bool:
    run = session.store.read.run()
    return run is not None and str(run.state) == "paused"
