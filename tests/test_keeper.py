"""Who keeps a script is out of its reach, and so is everybody else; it is gone before its worker's folder is free."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from escapes import HARMLESS, PROCESSES, script
from script_runs import SCRIPT, edit, night, repository, session_of, until
from test_script_run import Bench, alive

from checkpoints import writes
from checkpoints.records import Step
from lanes.process import still_runs
from lanes.script.order import OUTPUT, Confined
from lanes.script.sandbox import Confinement, available

CAN: Confinement = asyncio.run(available())
pytestmark = pytest.mark.skipif(not (CAN.network and CAN.files), reason=f"this machine cannot confine: {CAN.why}")

SEEN_WITHOUT = {
    "names of processes", "what another process was told", "what limits another process has",
    "the session of another process",
    "priority of another process", "cores of another process", "turns of another process",
}  # fmt: skip
"""What a script can do to processes of the same person where the kernel does not number its own anew."""


@pytest.mark.slow
async def test_what_the_kernel_lets_a_script_do_reaches_nobody_but_itself(tmp_path: Path) -> None:
    bench, mine = Bench(tmp_path), os.getpriority(os.PRIO_PROCESS, 0)
    (bench.top / "train.py").write_text(script({}, HARMLESS).replace("ESCAPED", "did"))
    await bench.start(f"trap '' TERM; {sys.executable} train.py; sleep 60", confined=Confined())
    await until(lambda: (bench.worker.folder / OUTPUT).exists() and "val_bpb" in bench.log)
    assert [one.name for one in HARMLESS if f"did {one.name}\n" not in bench.log] == [], bench.log
    identity = bench.worker.identity()
    assert identity is not None and still_runs(identity) and bench.worker.alive
    assert os.getpriority(os.PRIO_PROCESS, 0) == os.getpriority(os.PRIO_PROCESS, identity.pid) == mine
    assert not Path("/dev/shm/escaped").exists()
    await bench.worker.kill(grace=0)


@pytest.mark.slow
@pytest.mark.parametrize("anew", [True, False], ids=["numbered anew", "as the machine numbers them"])
async def test_when_its_worker_is_killed_a_script_is_gone_with_all_that_hides_before_the_lock_is_free(
    tmp_path: Path, anew: bool
) -> None:
    bench = Bench(tmp_path)
    hiding = "(setsid sh -c 'trap \"\" TERM HUP; exec sleep 4721')&"
    await bench.start(f"{hiding} (setsid setsid sleep 4721)& sleep 4721", confined=Confined(processes=anew))
    await until(lambda: len(alive("sleep 4721")) >= 3)
    identity = bench.worker.identity()
    assert identity is not None
    os.kill(identity.pid, signal.SIGKILL)
    await until(lambda: not bench.worker.alive)
    assert alive("sleep 4721") == []


@pytest.mark.slow
async def test_where_processes_are_not_numbered_anew_a_script_still_signals_and_reads_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    tries = tuple(one for one in PROCESSES if one.name not in SEEN_WITHOUT)
    places = {"PARENT": os.getpid(), "GROUP": os.getpgrp()}
    (bench.top / "train.py").write_text(script(places, tries))
    found = await bench.run(f"{sys.executable} train.py", confined=Confined(processes=False))
    assert found.status == "done" and "ESCAPED" not in bench.log, bench.log


@pytest.mark.slow
async def test_a_script_cannot_let_go_of_the_lock_by_which_its_worker_is_known(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    code = "import fcntl, os, time; [fcntl.flock(int(n), 8) for n in os.listdir('/proc/self/fd') if int(n) > 2"
    await bench.start(
        f"{sys.executable} -c \"{code} and os.path.exists('/proc/self/fd/' + n)]; open('done', 'w'); time.sleep(3)\"",
        confined=Confined(),
    )
    await until((bench.top / "done").exists)
    held = bench.worker.alive
    await bench.worker.kill(grace=0)
    assert held


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        0,
        pytest.param(1, marks=pytest.mark.xfail(strict=True, reason="the kernel lets folders be hidden, not sockets")),
    ],
    ids=["in a folder of sockets", "in a folder of files"],
)
async def test_who_begins_to_listen_while_a_script_runs_is_not_reached_by_it(tmp_path: Path, files: int) -> None:
    bench, folder = Bench(tmp_path), tmp_path / "listening"
    folder.mkdir()
    for number in range(files):
        (folder / f"file-{number}").touch()
    code = f"import socket; socket.socket(socket.AF_UNIX).connect('{folder}/later'); print('ESCAPED')"
    waiting = "touch began; until test -e go; do :; done"
    with socket.socket(socket.AF_UNIX) as now, socket.socket(socket.AF_UNIX) as later:
        now.bind(f"{folder}/now")
        now.listen()
        await bench.start(f'{waiting}; {sys.executable} -c "{code}"', confined=Confined())
        await until((bench.top / "began").exists)
        later.bind(f"{folder}/later")
        later.listen()
        (bench.top / "go").touch()
        await bench.worker.wait()
    assert "Error" in bench.log or "ESCAPED" in bench.log
    assert "ESCAPED" not in bench.log


@pytest.mark.slow
async def test_what_an_edited_script_leaves_in_the_cache_of_compilers_no_other_run_finds(tmp_path: Path) -> None:
    leave = "import os, pathlib; at = pathlib.Path(os.environ['TORCHINDUCTOR_CACHE_DIR']); at.mkdir(exist_ok=True)\n"
    look = "print(sorted(path.name for path in at.iterdir())); (at / '{}').touch()\n"
    texts = [leave + look.format(name) + SCRIPT for name in ("of-the-person", "of-one", "of-two")]
    folder = repository(tmp_path / "project", texts[0], experiments=2)
    proposals = [edit("another", texts[n], texts[n + 1]) for n in range(2)]
    proposals[1]["change"]["new"] = {"whole": texts[2]}
    session, _ = await night(folder, proposals)
    try:
        tails = [str(stage.result.get("tail")) for stage in session.store.read.stages() if stage.lane == "train"]
        assert len(tails) == 3 and all("['of-the-person']" in tail for tail in tails[1:]), tails
        assert [path.name for path in (folder / "run/work").rglob("of-*")] == ["of-the-person"]
    finally:
        await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_later_run_of_the_same_files_that_alters_what_is_protected_is_named_in_the_event_log(
    tmp_path: Path,
) -> None:
    mark = "import os, pathlib; at = pathlib.Path(os.environ['TORCHINDUCTOR_CACHE_DIR'])\n"
    alter = "at.exists() and pathlib.Path('prepare.py').write_text('other')\nat.mkdir(exist_ok=True)\n"
    session, _ = session_of(repository(tmp_path / "project", mark + alter + SCRIPT, experiments=1), [], linger=True)
    run = asyncio.create_task(session.run())
    try:
        await until(lambda: any("tampering: " in one.text for one in session.store.read.events()))
    finally:
        await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
        await asyncio.wait_for(run, 20)
        await session.close(keep_workers=False)
