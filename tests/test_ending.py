"""A run that is finished does not grow longer, however late somebody looks at it and whatever a person then does."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from runs import write_run

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Lane, RunState, Step
from checkpoints.store import Store
from runner.report.facts import gather
from runner.report.page import report
from tui.snapshot import Snapshot, look
from tui.widgets.header import Header

HOUR = 3600.0


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run that ended two hours after it began."""
    write_run(tmp_path, 3, live=False)
    with Store(tmp_path) as store:
        store.submit(writes.start_waiting, Lane.TRAIN, "a proposal").result()
        store.submit(writes.set_run, RunState.FINISHED, "the budget is used").result()
        store.submit(lambda db: db.execute("UPDATE run SET created_at = created_at - 7200")).result()
    return tmp_path


def in_the_morning(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    now = time.time() + 8 * HOUR
    monkeypatch.setattr(time, "time", lambda: now)
    with Store(folder) as store:
        number = store.submit(writes.intervene, Step.PIN, 1).result()
        store.submit(writes.acknowledge, number, "champion #1 stays, pinned").result()


def test_the_report_counts_time_and_waits_to_the_end_of_the_run(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_morning(monkeypatch, finished)

    with closing(Reader(finished)) as read:
        facts = gather(read, driven=True)

    assert facts.until - facts.run.created_at == pytest.approx(2 * HOUR, abs=60)
    (train,) = (lane for lane in facts.lanes if lane.lane is Lane.TRAIN)
    assert train.idle < 60
    page = report(facts)
    assert "experiments in 2 h 00 min" in page.summary[0] and dict(page.facts)["began"].endswith("ran 2 h 00 min")


def test_the_header_says_how_long_the_run_ran(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_morning(monkeypatch, finished)
    header = Header()
    with closing(Reader(finished)) as read:
        header.snapshot = replace(look(read, Snapshot()), at=time.time())

    (line,) = header.lines(200, 1)

    assert "ran 2:00" in line.plain and "up " not in line.plain
