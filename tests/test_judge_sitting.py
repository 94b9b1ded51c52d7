"""A judge at a run: it votes while it may, on so many pairs and no more, and says once why it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_service import ChatService, chat_service, right
from runs import Story

from checkpoints import writes
from checkpoints.records import REFERENCE, Answer
from checkpoints.store import Store
from checkpoints.trust import Calibration
from lanes.judge import sitting
from lanes.judge.process import Settings
from lanes.judge.sitting import Sitting, due

MODEL = "openai/judge"
VOTER = f"judge:{MODEL}"


@pytest.fixture(scope="module")
def service() -> Iterator[ChatService]:
    with chat_service() as service:
        yield service


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A run whose candidate and reference have answered 50 prompts, two more the candidate and another model."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(sitting, "LOOK_SECONDS", 0.05)
    store = Store(tmp_path)
    story = Story()
    store.submit(story.begin, 3).result()
    store.submit(story.propose, 0).result()
    answers = [
        Answer(0, f"p{n}", model, text)
        for n in range(52)
        for model, text in (("exp-0000", "good"), ("other" if n >= 50 else REFERENCE, "no"))
    ]
    store.submit(writes.add_prompts, [(f"p{n}", f"question {n}") for n in range(52)]).result()
    store.submit(writes.add_answers, answers).result()
    yield store
    store.close()


def calibrated(store: Store) -> None:
    store.submit(writes.add_calibration, Calibration(0, MODEL, 24, 1.0, 1.0, True, "fine", time.time())).result()


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.slow
async def test_it_judges_so_many_pairs_of_a_candidate_and_a_rival_and_no_more(
    store: Store, service: ChatService
) -> None:
    service.behave(right)
    at_it = asyncio.create_task(Sitting(store, lambda: Settings(MODEL, service.base)).run())
    while not [event for event in store.read.events() if event.kind == "judge"]:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    assert service.requests == []  # it has not been calibrated
    calibrated(store)
    async with asyncio.timeout(60):
        while len(store.read.votes(voter=VOTER)) < 42:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    await ended(at_it)
    votes = store.read.votes(voter=VOTER)
    assert len(votes) == 42 and sum(REFERENCE in (vote.model_a, vote.model_b) for vote in votes) == sitting.PAIRS
    assert due(store.folder, MODEL) == []
    said = [event.text for event in store.read.events() if event.kind == "judge"]
    assert len(said) == 2 and "never calibrated" in said[0] and "was calibrated" in said[1]


def test_what_is_put_to_a_promotion_test_is_left_alone(store: Store) -> None:
    assert len(due(store.folder, MODEL)) == 42
    store.submit(writes.begin_test, 0, None, {}).result()
    assert due(store.folder, MODEL) == []


async def test_a_judge_that_cannot_be_asked_is_said_once_and_stops_nothing(store: Store) -> None:
    calibrated(store)
    at_it = asyncio.create_task(Sitting(store, lambda: Settings(MODEL)).run())
    async with asyncio.timeout(60):
        while not (said := [event.text for event in store.read.events() if "cannot be asked" in event.text]):
            await asyncio.sleep(0.05)
    assert "needs OPENAI_API_KEY in the environment; tried again in 5 minutes" in said[0] and not at_it.done()
    await ended(at_it)
