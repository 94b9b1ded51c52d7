"""Every screen at every size as it was when somebody last looked at it.

After a change that is meant to be seen: ``pytest -m "" tests/test_snapshots.py --snapshot-update``, then look at the
pictures that changed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_runs import write_agent_run
from pytest_textual_snapshot import SVGImageExtension
from sqlite_utils import Database
from syrupy.assertion import SnapshotAssertion

from checkpoints import writes
from checkpoints.records import Step
from checkpoints.store import Owner, Store
from tui.picture import OF_AN_EXPERIMENT, SCREENS, sitting

EVENING = 1_795_282_800.0
"""When the run begins, UTC seconds."""

MORNING = EVENING + 10 * 3600

NUMBERS = {"detail": 10, "veto": 10, "skip": 14, "requeue": 6, "keep": 12, "pin": 5}

NAMES = ["main", *(f"panel:{number}" for number in range(1, 6))]
NAMES += [f"{name}:{NUMBERS[name]}" if name in OF_AN_EXPERIMENT else name for name in SCREENS]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A night's run, the same to the second whenever it is written, and with somebody who drives it."""
    folder = tmp_path_factory.mktemp("snapshots") / "run"
    ticks = itertools.count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: EVENING + 9.0 * next(ticks))
        write_agent_run(folder, 12)
        with Store(folder) as store:
            store.submit(a_person_paused_and_went_on).result()
    owner = Owner(folder)
    yield folder
    owner.release()


def a_person_paused_and_went_on(db: Database) -> None:
    for step, effect in ((Step.PAUSE, "nothing new started"), (Step.RESUME, "the run went on")):
        writes.acknowledge(db, writes.intervene(db, step, None, "lunch"), effect, {"when": "stage"})


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is morning, in Greenwich, at a terminal with a dark ground."""
    monkeypatch.setattr(time, "time", lambda: MORNING)
    for name, value in {"TZ": "UTC", "TERM": "xterm-256color", "LOGNAME": "ana"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "look", ["120x40", "80x24", *(pytest.param(look, marks=pytest.mark.slow) for look in ("60x16", "120x40-NO_COLOR"))]
)
async def test_every_screen_looks_as_it_did(
    run: Path, look: str, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    size, _, colourless = look.partition("-")
    if colourless:
        monkeypatch.setenv("NO_COLOR", "1")
    columns, rows = map(int, size.split("x"))
    known, changed = snapshot.use_extension(SVGImageExtension), list[str]()
    async with sitting(run, (columns, rows)) as sitter:
        for name in NAMES:
            seen = await sitter.show(name)
            if seen.svg != known(name=name.replace(":", "-")):
                changed.append(name)
                (tmp_path / f"{name.replace(':', '-')}.svg").write_text(seen.svg, encoding="utf-8")
    assert not changed, f"not as they were; what they are now is in {tmp_path}"
