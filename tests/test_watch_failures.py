"""A look at the run that fails is told, written down and tried again; the screen never just stands still."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import write_run
from test_dashboard import WIDE, Recorded, until_shown

from tui import watch
from tui.app import Dashboard
from tui.faults import ERRORS
from tui.snapshot import Snapshot, look


async def test_a_look_that_fails_is_told_written_down_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "run", 3)
    broken = True

    def failing(*arguments: object, **named: object) -> Snapshot:
        if broken:
            raise ValueError("the look broke")
        return look(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "look", failing)
    monkeypatch.setattr(watch, "AGAIN_SECONDS", 0.05)
    app = Dashboard(tmp_path / "run", Recorded())
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "a look at the run failed: ValueError: the look broke; its trace is in")
        broken = False
        await until_shown(pilot, "champion #")
    assert (tmp_path / "run" / ERRORS).read_text().count("Traceback") == 1
