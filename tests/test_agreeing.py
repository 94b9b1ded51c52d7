"""A person agrees to what follows now: where the run went on under an open question, it is asked once more."""

from __future__ import annotations

from pathlib import Path

from runs import write_run
from test_dashboard import WIDE, Recorded, choose, until, until_shown
from textual.widgets import Input

from checkpoints import writes
from checkpoints.records import Step
from checkpoints.store import Store
from tui.app import Dashboard


async def test_an_answer_to_what_no_longer_follows_is_asked_for_again_with_its_words(tmp_path: Path) -> None:
    write_run(tmp_path, 12)
    app, recorded = Dashboard(tmp_path, recorded := Recorded()), recorded
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, 12)
        await pilot.press("c")
        await until_shown(pilot, "Pin #12 as champion", "champion #10 → #12")
        with Store(tmp_path) as store:
            store.submit(writes.change_champion, 5, "a person vetoed #10").result()
        await until(pilot, lambda: app.snapshot.champion == 5)
        await pilot.press(*"nicer", "enter")
        shown = await until_shown(pilot, "The run went on", "champion #5 → #12")
        assert "nicer" in shown and not recorded.steps
        assert app.screen.query_one(Input).value == "nicer"
        await pilot.press("enter")
        await until(pilot, lambda: bool(recorded.steps))
    assert recorded.steps == [(Step.PIN, 12, "nicer", {})]


async def test_an_answer_to_what_can_no_longer_be_done_is_told_why(tmp_path: Path) -> None:
    write_run(tmp_path, 12)
    app, recorded = Dashboard(tmp_path, recorded := Recorded()), recorded
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, 13)
        await pilot.press("x")
        await until_shown(pilot, "Skip #13")
        with Store(tmp_path) as store:
            store.submit(writes.crash, 13, "out of memory").result()
        await until(pilot, lambda: app.snapshot.rows[13].experiment.ended_at is not None)
        await pilot.press("enter")
        await until_shown(pilot, "experiment 13 has ended: it is crashed")
    assert not recorded.steps
