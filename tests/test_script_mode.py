"""A program whose script an agent edits, from the first run to the last commit: real git, real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from script_runs import SCRIPT, edit, git, night, repair, repository, session_of, table, until, verdicts
from scripted_model import Asked, Reply, says, scripted_model

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Lane, RunState, State, Step
from checkpoints.thought import Purpose
from lanes.script.sandbox import Confinement, available
from runner.program_error import ProgramError
from runner.results import results_tsv
from runner.script import lanes as script_lanes
from runner.session import make_ready

BRANCH = "autoresearch/small"
TAMPER = "open('prepare.py', 'w').write('FIXED = 2')\nimport os\n"


async def test_a_night_keeps_what_is_better_or_simpler_and_nothing_else(tmp_path: Path) -> None:
    folder = repository(tmp_path, experiments=5)
    (folder / "train.py").write_text("A = 'what the person is at'\n")
    before = git(folder, "status", "--porcelain"), git(folder, "rev-parse", "HEAD"), git(folder, "branch", "--show")
    proposals = [
        edit("less of A", "A = 5", "A = 1"),
        edit("more of B", "B = 5", "B = 9"),
        edit("C from a division", "C = 5", "C = 1 / 0"),
        edit("fix the evaluation", "import os\n", TAMPER, "data"),
        edit("what is not used goes", "unused = 5\n", "", "code"),
    ]
    session, model = await night(folder, proposals, [repair("C = 1 / 0", "C = 2")])
    try:
        said = verdicts(session)
        assert [state for state, _ in said] == ["kept", "kept", "discarded", "kept", "crashed", "kept"]
        assert "not better" in said[2][1] and "tampering" in said[4][1] and "prepare.py" in said[4][1]
        assert "simpler by 1 line" in said[5][1]
        (mended,) = [one for one in model.asked if one.purpose is Purpose.REPAIR]  # tampering is not repaired
        assert "ZeroDivisionError" in mended.messages[1]["content"] and "<data-" in mended.messages[1]["content"]
        assert [one.attempt for one in session.store.read.stages() if one.experiment == 3 and one.lane == "train"] == [
            1,
            2,
        ]
    finally:
        await session.close(keep_workers=False)
    rows = table(folder)
    assert [row["status"] for row in rows] == ["keep", "keep", "discard", "keep", "crash", "keep"]
    values = [row["val_bpb"] for row in rows]
    assert values == ["1.150000", "1.110000", "1.150000", "1.080000", "0.000000", "1.080000"]
    assert rows[1]["description"] == "less of A" and rows[1]["memory_gb"] == "0.5"
    kept = git(folder, "log", "--format=%s", f"main..{BRANCH}").splitlines()
    assert kept == [
        "val_bpb 1.080000: what is not used goes",
        "val_bpb 1.080000: C from a division",
        "val_bpb 1.110000: less of A",
    ]
    assert (
        git(folder, "show", f"{BRANCH}:train.py")
        == SCRIPT.replace("A = 5", "A = 1").replace("C = 5", "C = 2").replace("unused = 5\n", "").strip()
    )
    after = git(folder, "status", "--porcelain"), git(folder, "rev-parse", "HEAD"), git(folder, "branch", "--show")
    assert after == before and (folder / "train.py").read_text() == "A = 'what the person is at'\n"
    with_others = results_tsv(Reader(folder / "run"))
    header, *lines = [line.split("\t") for line in with_others.splitlines()]
    assert header[:5] == ["commit", "val_bpb", "memory_gb", "status", "description"]
    assert [line[:4] for line in lines if line[3] != "crash"] == [
        [row[name] for name in header[:4]] for row in rows if row["status"] != "crash"
    ]
    assert [line[1] for line in lines if line[3] == "crash"] == ["0.000000"]


@pytest.mark.skipif(not asyncio.run(available()).files, reason="this machine cannot hide files")
async def test_no_script_reads_the_record_of_the_run_or_the_keys_beside_it(tmp_path: Path) -> None:
    look = f"""
for name in ('run/run.db', '.env', 'data.txt'):
    try:
        print(name, len(open({str(tmp_path)!r} + '/' + name, 'rb').read()) > 0)
    except OSError as error:
        print(name, type(error).__name__)
"""
    (tmp_path / ".env").write_text("KEY=canary")
    (tmp_path / ".gitignore").write_text(".env\ndata.txt\n")
    (tmp_path / "data.txt").write_text("1 2 3")
    folder = repository(tmp_path, look + SCRIPT, model="playbook")
    session, _ = session_of(folder, [], linger=True)
    run = asyncio.create_task(session.run())
    try:
        await until(lambda: session.store.read.count(State.KEPT))
        said = str((session.store.read.done_stage(0, Lane.TRAIN) or pytest.fail("no baseline")).result["tail"])
        assert "run/run.db PermissionError\n.env PermissionError\ndata.txt True\n" in said
    finally:
        await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
        await asyncio.wait_for(run, 20)
        await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_veto_takes_the_branch_back_and_a_check_that_fails_takes_a_keep_away(tmp_path: Path) -> None:
    checks = '  checks: ["! grep -q FORBIDDEN train.py"]\n'
    folder = repository(tmp_path, experiments=2, more=checks)
    proposals = [edit("less of A", "A = 5", "A = 1"), edit("forbidden", "B = 5", "B = 0  # FORBIDDEN")]
    session, _ = session_of(folder, proposals, linger=True)
    run = asyncio.create_task(session.run())
    try:
        await until(lambda: session.store.read.count(State.KEPT, State.DISCARDED) == 3)
        assert "a check does not pass: ! grep -q FORBIDDEN train.py" in verdicts(session)[2][1]
        await session.store.do(writes.intervene, Step.VETO, 1, "I do not like it", {})
        await until(lambda: [row["status"] for row in table(folder)] == ["keep", "keep", "discard", "vetoed"])
        await until(lambda: git(folder, "show", f"{BRANCH}:train.py") == SCRIPT.strip())
        subjects = git(folder, "log", "--format=%s", f"main..{BRANCH}").splitlines()
        assert subjects == ["val_bpb 1.150000: back to exp-0000", "val_bpb 1.110000: less of A"]
    finally:
        await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
        await asyncio.wait_for(run, 20)
        await session.close(keep_workers=False)


async def test_an_edit_that_prints_a_second_number_as_the_metric_is_a_crash(tmp_path: Path) -> None:
    folder = repository(tmp_path, experiments=2)
    proposals = [
        edit("a number of its own", "unused = 5\n", "import atexit\natexit.register(print, 'val_bpb: 0.1')\n"),
        edit("the same number once more", "C = 5", 'C = 5; print("val_bpb: 1.150000")'),
    ]
    session, _ = await night(folder, proposals)
    try:
        said = verdicts(session)
        assert [state for state, _ in said] == ["kept", "crashed", "discarded"]
        assert "it printed 2 different numbers as val_bpb, and the unchanged script prints one" in said[1][1]
    finally:
        await session.close(keep_workers=False)


async def test_data_that_git_does_not_know_is_named_where_the_script_does_not_find_it(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("1 2 3")
    (tmp_path / ".gitignore").write_text("corpus\n")
    folder = repository(tmp_path, "open('corpus/a.txt')\n" + SCRIPT, experiments=9)
    session, _ = await night(folder, [])
    try:
        run = session.store.read.run()
        assert run and run.state is RunState.PAUSED
        assert "your folder has corpus, git does not know it: name it in script.protected, or commit it" in run.reason
    finally:
        await session.close(keep_workers=False)


def test_a_link_in_the_place_of_the_script_is_said_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text(SCRIPT)
    folder = repository(tmp_path)
    (folder / "train.py").unlink()
    (folder / "train.py").symlink_to("real.py")
    git(folder, "-c", "user.email=a@b", "-c", "user.name=a", "commit", "-qam", "a link")
    with pytest.raises(ProgramError, match=r"train\.py is a link to real\.py: name the file itself"):
        make_ready(folder)


async def test_a_metric_that_is_never_printed_is_said_after_the_baseline_and_the_run_waits(tmp_path: Path) -> None:
    folder = repository(tmp_path, SCRIPT.replace("val_bpb", "val_loss"), experiments=9)
    session, _ = await night(folder, [edit("less of A", "A = 5", "A = 1")])
    try:
        run = session.store.read.run()
        assert run and run.state is RunState.PAUSED
        assert "the line val_bpb: number is nowhere in its output" in run.reason
        assert "peak_vram_mb: 512.0" in run.reason and len(run.reason.splitlines()) == 1
        assert session.store.read.count(State.TRAINING) == 0
    finally:
        await session.close(keep_workers=False)
    program = folder / "program.md"  # it is mended, and the same run goes on
    program.write_text(program.read_text().replace("name: val_bpb", "name: val_loss").replace("ents: 9", "ents: 1"))
    session, _ = await night(folder, [edit("less of A", "A = 5", "A = 1")])
    try:
        assert [state for state, _ in verdicts(session)] == ["kept", "kept"]
    finally:
        await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_run_that_takes_too_long_is_a_crash_and_is_not_repaired(tmp_path: Path) -> None:
    folder = repository(tmp_path, experiments=1, seconds=1)
    session, model = await night(folder, [edit("wait", "import os", "import time; time.sleep(60)")])
    try:
        state, reason = verdicts(session)[1]
        assert state == "crashed" and "timeout: not done after 1.5 s" in reason
        assert all(one.purpose is Purpose.PROPOSE for one in model.asked)
    finally:
        await session.close(keep_workers=False)
    assert table(folder)[1]["status"] == "crash"


@pytest.mark.slow
async def test_a_crash_is_repaired_twice_at_most(tmp_path: Path) -> None:
    folder = repository(tmp_path, experiments=1)
    repairs = [repair("1 / 0", "2 / 0"), repair("2 / 0", "3 / 0"), repair("3 / 0", "1")]
    session, _ = await night(folder, [edit("C from a division", "C = 5", "C = 1 / 0")], repairs)
    try:
        state, reason = verdicts(session)[1]
        assert state == "crashed" and "division by zero" in reason
        assert [stage.attempt for stage in session.store.read.stages() if stage.experiment == 1] == [1, 2, 3]
        assert sum(one.experiment == 1 for one in session.store.read.exchanges()) == 3
    finally:
        await session.close(keep_workers=False)


@pytest.mark.slow
async def test_the_playbook_edits_no_script_so_the_baseline_is_run_and_the_run_waits(tmp_path: Path) -> None:
    folder = repository(tmp_path, model="playbook")
    session, _ = session_of(folder, [], linger=True)
    run = asyncio.create_task(session.run())
    try:
        await until(lambda: (found := session.store.read.run()) and found.state is RunState.PAUSED)
        found = session.store.read.run()
        assert found and "the playbook edits no script: name a language model in agent.model" in found.reason
        assert session.store.read.count(State.KEPT) == 1
    finally:
        await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
        await asyncio.wait_for(run, 20)
        await session.close(keep_workers=False)


def test_where_a_script_cannot_be_confined_nothing_begins_without_unsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repository(tmp_path)
    monkeypatch.setattr(script_lanes, "_found", [Confinement(False, False, "no network: no namespaces")])
    with pytest.raises(ProgramError, match=r"program\.md: .* confined \(no network: no namespaces\).* add --unsafe"):
        make_ready(folder)
    assert not (folder / "run").exists()
    monkeypatch.setenv(script_lanes.UNSAFE, "yes")
    program, (owner, connection) = make_ready(folder)
    connection.close()
    owner.release()
    assert script_lanes.lane_settings(program).confined is None  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_runner_that_is_killed_in_the_middle_of_a_run_goes_on_with_it(tmp_path: Path) -> None:
    slow = SCRIPT.replace("import os", "import os, time")
    proposals = [edit("slower", "C = 5", "C = 4; time.sleep(4)"), edit("less of A", "A = 5", "A = 1")]

    def say(asked: Asked) -> Reply:
        return says(proposals[1] if "slower" in asked.prompt else proposals[0])

    with scripted_model() as model:
        model.script(say)
        base = f", api_base: {model.base}"
        folder = repository(tmp_path, slow, experiments=2, model="openai/scripted", base=base)
        command = [sys.executable, "-m", "tui.main", "run", "--headless", str(folder)]
        environment = os.environ | {"OPENAI_API_KEY": "sk-test", "PYTHONPATH": str(Path(__file__).parents[1])}
        first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        asyncio.run(until(lambda: _is_running(folder, 1), 60))
        first.send_signal(signal.SIGKILL)
        first.wait()
        done = subprocess.run(command, env=environment, timeout=90, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    rows = table(folder)
    assert [(row["experiment"], row["status"]) for row in rows] == [("0", "keep"), ("1", "keep"), ("2", "keep")]
    assert len(git(folder, "log", "--format=%s", f"main..{BRANCH}").splitlines()) == 2
    read = Reader(folder / "run")
    assert [stage.attempt for stage in read.stages() if stage.experiment == 1] == [1, 1, 1, 1]


def _is_running(folder: Path, number: int) -> bool:
    return any((folder / "run" / "work").glob(f"exp-{number:04d}-train-1-*/worker.json"))
