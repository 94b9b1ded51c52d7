"""The keys that change the run: the consequence first, then the question, what is pending, and what came of it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from runs import write_run
from sleeping import SleepingAnalyst, program
from test_dashboard import Recorded, choose, text_of, until, until_shown
from textual.pilot import Pilot

from checkpoints import writes
from checkpoints.records import Json, RunState, State, Step
from checkpoints.store import Store
from runner.agent.playbook import Playbook
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.steering import Steering
from tui.app import Dashboard

SPACE = """---
goal: sleep better
space:
  training.beta: {min: 0.01, max: 1}
  lora.r: {choices: [8, 16, 32]}
---
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "run"
    write_run(folder, 12)
    with Store(folder) as store:
        store.submit(writes.read_program, SPACE, "1" * 64, "").result()
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


@asynccontextmanager
async def dashboard(
    folder: Path, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[Any], Store, Steering]]:
    """A dashboard at a run whose steering takes a step up when the test says so."""
    with Store(folder) as store:
        planner = Planner(store, program(folder, 50), Playbook())
        steering = Steering(store, Pipeline(store, {}, SleepingAnalyst(0), planner), planner)

        async def intervene(step: Step, number: int | None, reason: str, detail: Json) -> int:
            return await store.do(writes.intervene, step, number, reason, detail)

        app = Dashboard(folder, intervene, store.listen)
        async with app.run_test(size=size, notifications=True) as pilot:
            await until_shown(pilot, "champion #10")
            yield pilot, store, steering


async def take_up(store: Store, steering: Steering) -> None:
    for pending in store.read.interventions(pending_only=True):
        await steering.take_up(pending)


def flat(pilot: Pilot[Any]) -> str:
    """The screen without its lines' ends: what is said may be wrapped."""
    return " ".join(text_of(pilot.app).replace("│", " ").split())  # type: ignore[arg-type]


async def until_said(pilot: Pilot[Any], *texts: str) -> None:
    await until(pilot, lambda: all(text in flat(pilot) for text in texts))


async def test_a_pin_says_what_follows_is_pending_until_it_is_done_and_can_be_undone(folder: Path) -> None:
    async with dashboard(folder) as (pilot, store, steering):
        await choose(pilot, 12)
        await pilot.press("c")
        await until_said(pilot, "Pin #12 as champion", "champion #10 → #12, pinned; #13 is judged again from the start")
        await pilot.press(*"nicer", "enter")
        await until_said(pilot, "pinning #12 as champion…")
        await pilot.press("u")
        await until_said(pilot, "the last step is still under way")
        await take_up(store, steering)
        await until_said(pilot, "pin of #12: champion #10 → #12, pinned; #13 is judged again", "● champion #12 pinned")
        await pilot.press("u")
        await until_said(pilot, "Undo the pin of #12 at", "nicer", "champion #12 → #10")
        await pilot.press("enter")
        await until_said(pilot, "undoing the pin of #12…")
        await take_up(store, steering)
        await until_said(pilot, "undo: champion #12 → #10")
        champion = store.read.champion()
        assert champion and (champion.experiment, champion.pinned) == (10, False)
        await pilot.press("u")
        await until_said(pilot, "nothing was done that could be undone")


async def test_keep_anyway_needs_a_reason_and_tells_what_it_overrules(folder: Path) -> None:
    async with dashboard(folder) as (pilot, store, steering):
        await choose(pilot, 11)
        await pilot.press("o")
        await until_said(
            pilot, "Keep #11 anyway", "decisive votes against champion #10", "#11 is kept; champion #10 → #11"
        )
        await pilot.press("enter")
        await until_said(pilot, "a few words are needed")
        await pilot.press(*"kind", "enter")
        await until(pilot, lambda: store.read.interventions(pending_only=True))
        await take_up(store, steering)
        await until_said(pilot, "keep of #11: #11 is kept", "champion #11")
    with Store(folder) as store:
        assert store.read.experiment(11).note == "kept by a person: kind"


async def test_skip_and_try_again_apply_to_what_flies_and_to_what_has_ended(folder: Path) -> None:
    async with dashboard(folder) as (pilot, store, steering):
        await choose(pilot, 14)
        await pilot.press("x")
        await until_said(pilot, "Skip #14", "#14 is cancelled without a verdict")
        await pilot.press("enter")
        await until(pilot, lambda: store.read.interventions(pending_only=True))
        await take_up(store, steering)
        await until_said(pilot, "skip of #14: #14 is cancelled", "– cancelled")
        await pilot.press("t")
        await until_said(pilot, "Try #14 again", "Try it again next", "#14 is tried again")
        await pilot.press("escape")
        assert store.read.experiment(14).state is State.CANCELLED


async def test_an_idea_is_asked_for_with_what_the_program_opens_and_a_refusal_is_told(folder: Path) -> None:
    async with dashboard(folder, (80, 24)) as (pilot, store, steering):
        await pilot.press("i")
        await until_said(pilot, "field = value: why", "training.beta 0.1 → 0.01 to 1", "→ one of 8, 16, 32")
        await pilot.press(*"training.warmup_steps = 0.5", "enter")
        await until_said(pilot, "putting your idea first: training.warmup_steps = 0.5…")
        await take_up(store, steering)
        await until_said(pilot, "inject refused: training.warmup_steps: outside the space")


async def test_a_key_that_does_not_apply_says_why(folder: Path) -> None:
    whys = {
        ("x", 12): "experiment 12 has ended: it is discarded",
        ("t", 14): "experiment 14 is still under way: it is training",
        ("o", 10): "experiment 10 is kept already",
        ("c", 6): "experiment 6 is crashed; only a model that was published and judged can be champion",
        ("u", 12): "nothing was done that could be undone",
    }
    recorded = Recorded()
    async with Dashboard(folder, recorded).run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        for (key, number), why in whys.items():
            await choose(pilot, number)
            await pilot.press(key)
            await until_said(pilot, why)
    assert not recorded.steps


async def test_a_pause_now_is_pending_after_the_step_that_the_training_is_at(folder: Path) -> None:
    async with dashboard(folder) as (pilot, store, steering):
        await pilot.press("p")
        await until_said(pilot, "After this stage")
        await pilot.press("down", "enter")
        await until_said(pilot, "pausing after step 24, the training saves its state first…")
        await take_up(store, steering)
        await until_said(pilot, "pause: the stages under way are interrupted")
        run = store.read.run()
        assert run and run.state is RunState.PAUSED
        await pilot.press("u")
        await until_said(pilot, "Undo the pause at", "the run goes on")


async def test_a_question_is_whole_on_the_smallest_terminal(folder: Path) -> None:
    async with Dashboard(folder, Recorded()).run_test(size=(60, 16), notifications=True) as pilot:
        await until_shown(pilot, "#10")
        await choose(pilot, 5)
        for key in ("v", "c"):
            await pilot.press(key)
            await until_said(pilot, "#5 is kept", "why?", "go on Esc back")
            await pilot.press("escape")
