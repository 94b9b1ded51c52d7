"""Death before and after every commit, rename and removal: what comes after finds all of it or none of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from chaos.checker import found_wrong
from chaos.kill_points import dies, dies_ever_later, strokes_in
from chaos.outside import Outside
from chaos.trainer import CHECKPOINT_STEPS, STEPS, WEIGHTS
from small_demo import kill_workers
from test_train_worker import STEPS as REAL_STEPS
from test_train_worker import metrics, order, put, result

from checkpoints.artifacts import is_whole
from lanes.arena.ledger import Ledger
from runner.program import Program

EXPERIMENTS = 2


def ended_well(run: Path, deaths: Path) -> None:
    """Let a run go on to its end, and hold it against the laws."""
    assert not dies(0, "chaos.loop", run, EXPERIMENTS, deaths=deaths)
    assert found_wrong(run, EXPERIMENTS, Outside(run)) == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def deaths(tmp_path: Path) -> Path:
    return tmp_path / "deaths"


def counting(folder: Path) -> Path:
    """The folder and order of a trainer that counts."""
    folder.mkdir()
    (folder / "order.json").write_text(json.dumps({"output": str(folder / "out" / "exp-0000")}))
    return folder / "order.json"


def check_counted(folder: Path) -> None:
    done = json.loads((folder / "result.json").read_bytes())
    assert done["status"] == "done" and is_whole(folder / "out" / "exp-0000")
    assert json.loads((folder / "out" / "exp-0000" / WEIGHTS).read_bytes())["learnt"] == sum(range(STEPS + 1))
    times = Counter(line["step"] for line in metrics(folder) if line["phase"] == "train")
    assert set(times) == set(range(1, STEPS + 1))
    assert times.total() - STEPS <= CHECKPOINT_STEPS, "one interval is done again at most"


@pytest.mark.parametrize(("moment", "stroke"), [(3, "before manifest.json is put"), (16, "after result.json is put")])
def test_a_trainer_that_dies_at_a_stroke_has_its_result_the_next_time(
    tmp_path: Path, deaths: Path, moment: int, stroke: str
) -> None:
    """Two of them; the slow test meets each."""
    place = counting(tmp_path / "work")
    assert dies(moment, "chaos.trainer", place, deaths=deaths)
    assert strokes_in(deaths) == [stroke]
    assert not dies(0, "chaos.trainer", place, deaths=deaths)
    check_counted(tmp_path / "work")


@pytest.mark.slow
def test_a_trainer_dies_at_each_of_its_strokes(tmp_path: Path, deaths: Path) -> None:
    for moment in count(1):
        folder = tmp_path / str(moment)
        if not dies(moment, "chaos.trainer", counting(folder), deaths=deaths):
            break
        assert not dies(0, "chaos.trainer", folder / "order.json", deaths=deaths)
        check_counted(folder)
    met = Counter(strokes_in(deaths))
    assert met.keys() == {
        f"{when} {what} is put"
        for when in ("before", "after")
        for what in ("worker.json", "manifest.json", "exp-0000", "result.json")
    }
    assert met["after manifest.json is put"] == STEPS // CHECKPOINT_STEPS + 1


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_a_real_trainer_that_dies_at_one_stroke_after_the_other_goes_on_each_time(
    tmp_path: Path, deaths: Path, first: int
) -> None:
    folder = tmp_path / "real"
    place = put(folder, order(folder))
    assert dies_ever_later(count(first, 4), "lanes.workers.train", place, deaths=deaths) >= 2
    found = result(folder)
    assert found.status == "done" and is_whole(folder / "adapter")
    steps = {line["step"] for line in metrics(folder) if line["phase"] == "train"}
    assert steps == set(range(1, REAL_STEPS + 1))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, 9))
def test_a_runner_that_dies_at_one_stroke_after_the_other_breaks_no_law(run: Path, deaths: Path, first: int) -> None:
    """Each life ends eight moments later than the one before: start, middle and end of a life are all met."""
    try:
        assert dies_ever_later(count(first, 8), "chaos.loop", run, EXPERIMENTS, deaths=deaths) >= 3
        assert found_wrong(run, EXPERIMENTS, Outside(run)) == []
    finally:
        kill_workers(run)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_a_runner_dies_once_at_each_of_the_first_strokes_of_a_run(tmp_path: Path, deaths: Path, part: int) -> None:
    for moment in range(part + 1, 81, 8):
        run = tmp_path / str(moment) / "run"
        try:
            assert dies(moment, "chaos.loop", run, EXPERIMENTS, deaths=deaths)
            ended_well(run, deaths)
        finally:
            kill_workers(run)


@pytest.mark.slow
def test_a_folder_that_init_was_killed_in_can_be_begun_in_again(tmp_path: Path, deaths: Path) -> None:
    for moment in count(1):
        folder = tmp_path / str(moment)
        if not dies(moment, "tui.main", "init", "demo", folder, deaths=deaths):
            break
        if not (folder / "program.md").exists():  # it comes last: with it, all is there
            shutil.rmtree(folder / "sample_data", ignore_errors=True)  # as the line says that refuses to overwrite it
            assert not dies(0, "tui.main", "init", "demo", folder, deaths=deaths)
        assert Program.read(folder)
    assert set(strokes_in(deaths)) >= {"before sample_data is put", "before program.md is put"}


@pytest.mark.slow
def test_an_arena_that_dies_at_each_stroke_of_its_start_starts_the_next_time(tmp_path: Path, deaths: Path) -> None:
    folder = tmp_path / "arena"
    folder.mkdir()
    (folder / "order.json").write_text("{}")
    with Ledger(folder):
        pass
    for moment in range(1, 5):
        assert dies(moment, "lanes.arena.serve", folder / "order.json", deaths=deaths)
    assert set(strokes_in(deaths)) >= {"after worker.json is put", "after result.json is put"}
    with Ledger(folder) as ledger:
        assert ledger.last() == 0
