"""What a person wants in the last moment of a loop ends with what came of it, or with that it was too late."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import test_session
from laws import broken_laws
from test_session import running, sleeping

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import REFUSED, Json, RunState, Step
from checkpoints.visitor import intervene_from_outside
from runner.late import TOO_LATE
from runner.session import Session

folder = test_session.folder

IDEA: Json = {"text": "training.beta = 0.5: hold on less"}


def left(session: Session, experiments: int) -> dict[Step, str]:
    """What was said to each step of a run that has finished and is closed, of which no law is broken."""
    with closing(Reader(session.store.folder)) as read:
        run, steps = read.run(), read.interventions()
        assert run and run.state is RunState.FINISHED and broken_laws(read, experiments) == []
    assert all(step.acknowledged_at for step in steps)
    return {step.step: step.effect for step in steps}


async def test_what_comes_after_the_end_of_a_run_is_done_or_said_to_be_too_late(folder: Path) -> None:
    session = sleeping(folder)
    async with running(session) as store:
        pass
    for step, detail in {
        Step.UNPIN: {}, Step.NOTE: {"text": "sleep longer"}, Step.PAUSE: {"when": "now"}, Step.RESUME: {},
        Step.INJECT: IDEA, Step.ZOOM_OUT: {}, Step.ASK: {"text": "why?"}, Step.STOP: {"how": "now"},
    }.items():  # fmt: skip
        intervene_from_outside(store.folder, step, detail=detail)
    await session.close(keep_workers=False)
    assert left(session, 3) == {
        Step.UNPIN: f"{REFUSED}no champion is pinned",
        Step.NOTE: "note 1 is in the agent's memory from now on",
        Step.PAUSE: f"{REFUSED}the run is finished",
        Step.RESUME: f"{REFUSED}the run is finished",
        Step.INJECT: f"{REFUSED}it comes too late: the run has ended",
        Step.ZOOM_OUT: f"{REFUSED}{TOO_LATE}",
        Step.ASK: f"{REFUSED}{TOO_LATE}",
        Step.STOP: "the loop had ended already",
    }


@pytest.mark.slow
@pytest.mark.parametrize("when", ["finished", "judged"])
async def test_an_idea_of_the_last_moment_is_tried_or_too_late_but_never_left_in_a_finished_run(
    folder: Path, when: str
) -> None:
    """It is on record at the very moment of the last verdict, or of the end."""
    (folder / "program.md").write_text(test_session.PROGRAM.replace("experiments: 3", "experiments: 1"))
    session = sleeping(folder)
    asked: list[int] = []

    def at_the_end() -> None:
        with closing(Reader(session.store.folder)) as read:
            run, judged = read.run(), len(read.verdicts())
        if not asked and run and (run.state is RunState.FINISHED if when == "finished" else judged == 2):
            asked.append(intervene_from_outside(session.store.folder, Step.INJECT, detail=IDEA))

    session.store.listen(at_the_end)
    async with running(session):
        pass
    await session.close(keep_workers=False)
    assert asked and left(session, 1)[Step.INJECT].startswith(REFUSED)


@pytest.mark.slow
async def test_a_pause_that_comes_after_a_stop_is_in_force_at_the_next_start(folder: Path) -> None:
    session = sleeping(folder)
    async with running(session) as store:
        await store.do(writes.intervene, Step.STOP, None, "", {"how": "drain"})
    intervene_from_outside(store.folder, Step.PAUSE, reason="first have a look")
    await session.close(keep_workers=False)
    again = sleeping(folder)
    async with running(again) as store:
        await test_session.until(lambda: again.pipeline.held)
        assert again.pipeline.held == "first have a look"
        intervene_from_outside(store.folder, Step.RESUME)
    await again.close(keep_workers=False)
    assert left(again, 3)[Step.PAUSE] == "nothing new starts; the stages under way end first"
