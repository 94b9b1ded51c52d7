"""A question about the run is answered from the memory, beside everything else, and exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sleeping import SleepingAnalyst, program
from speaking import Scripted

from checkpoints import writes
from checkpoints.records import Proposal, RunState, Step
from checkpoints.store import Store
from checkpoints.thought import Idea, Message, Purpose
from runner.agent.agent import Agent
from runner.agent.asking import Unusable
from runner.agent.playbook import Playbook
from runner.agent.talk import marked, so_far
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.steering import Steering


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


@asynccontextmanager
async def steered(store: Store, model: Scripted | None) -> AsyncGenerator[Steering]:
    """A run with a baseline that nothing works on, and somebody who takes up what a person wants."""
    if not store.read.count():
        await store.do(writes.create_run, "run", "goal", 9, 1)
        await store.do(writes.propose, Proposal("the program's own", "baseline", None, "program"))
    planner = Planner(store, program(store.folder, 9), Agent(model, store) if model else Playbook())
    steering = Steering(store, Pipeline(store, {}, SleepingAnalyst(0), planner), planner)
    task = asyncio.create_task(steering.run())
    try:
        yield steering
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(store: Store, text: str) -> int:
    return await store.do(writes.intervene, Step.ASK, None, "", {"text": text})


async def settled(store: Store) -> list[str]:
    """What came of everything that was wanted, once nothing is pending."""
    async with asyncio.timeout(5):
        while store.read.interventions(pending_only=True):
            await asyncio.sleep(0.01)
    return [one.effect for one in store.read.interventions()]


async def test_a_question_is_answered_from_the_memory_and_kept_with_what_the_agent_would_try(store: Store) -> None:
    ideas = [{"text": "fewer rows of b teach more", "category": "data"}]
    model = Scripted(store, {"answer": "Nothing stands yet: #0 is all there is, and #7 is none.", "ideas": ideas})
    async with steered(store, model):
        await ask(store, "What stands?")
        assert await settled(store) == ["answered, with an idea"]
    person, agent = store.read.messages()
    assert (person.role, person.text, agent.role) == ("person", "What stands?", "agent")
    assert agent.text == "Nothing stands yet: #0 is all there is, and #7 (there is no such experiment) is none."
    assert agent.ideas == (Idea("fewer rows of b teach more", "data"),)
    assert person.at == store.read.interventions()[0].at, "asked when it was typed, not when it was answered"
    [asked] = model.asked
    assert asked.purpose is Purpose.ASK and "sleep better" in asked.messages[1]["content"]
    assert asked.messages[-1] == {"role": "user", "content": "What stands?"}


async def test_the_next_question_comes_with_the_conversation_so_far(store: Store) -> None:
    model = Scripted(store, {"answer": "one", "ideas": []}, {"answer": "two", "ideas": []})
    async with steered(store, model):
        await ask(store, "first?")
        await ask(store, "second?")
        assert await settled(store) == ["answered", "answered"]
    assert [turn["content"] for turn in model.asked[1].messages[2:]] == ["first?", "one", "second?"]
    assert [turn["role"] for turn in model.asked[1].messages[2:]] == ["user", "assistant", "user"]
    assert [turn.text for turn in store.read.messages()] == ["first?", "one", "second?", "two"]


async def test_an_idea_of_a_category_that_is_not_open_is_told_and_mended(store: Store) -> None:
    bad = {"answer": "try it", "ideas": [{"text": "pray", "category": "faith"}]}
    model = Scripted(store, bad, {"answer": "try it", "ideas": [{"text": "lower beta", "category": "loss"}]})
    async with steered(store, model):
        await ask(store, "What now?")
        await settled(store)
    assert "not open: faith; open are data" in model.asked[1].messages[-1]["content"]
    assert store.read.messages()[-1].ideas == (Idea("lower beta", "loss"),)
    stubborn = Scripted(store, bad)
    async with steered(store, stubborn):
        await ask(store, "And now?")
        await settled(store)
    said = store.read.messages()[-1]
    assert len(stubborn.asked) == 3 and said.ideas == () and "an idea of faith, which the space" in said.text


async def test_while_the_agent_thinks_a_pause_is_taken_up(store: Store) -> None:
    model = Scripted(store, {"answer": "at last", "ideas": []})
    model.heard.clear()
    async with steered(store, model):
        await ask(store, "Take your time?")
        await store.do(writes.intervene, Step.PAUSE, None, "", {"when": "stage"})
        async with asyncio.timeout(5):
            while len(store.read.interventions(pending_only=True)) > 1 or not model.asked:
                await asyncio.sleep(0.01)
        run = store.read.run()
        assert run and run.state is RunState.PAUSED and store.read.messages() == []
        model.heard.set()
        assert (await settled(store))[0] == "answered"


async def test_a_question_that_was_under_way_when_the_runner_died_is_answered_once_by_the_next(store: Store) -> None:
    dies = Scripted(store, {"answer": "lost", "ideas": []})
    dies.heard.clear()
    async with steered(store, dies):
        await ask(store, "Are you there?")
        async with asyncio.timeout(5):
            while not dies.asked:
                await asyncio.sleep(0.01)
    assert store.read.messages() == [] and len(store.read.interventions(pending_only=True)) == 1
    async with steered(store, Scripted(store, {"answer": "yes", "ideas": []})):
        await settled(store)
    assert [turn.text for turn in store.read.messages()] == ["Are you there?", "yes"]


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (Unusable("OPENAI_API_KEY is not set"), "No answer: OPENAI_API_KEY is not set"),
        ("hm", "No answer: no JSON"),
    ],
)
async def test_where_no_answer_comes_the_conversation_says_why(store: Store, why: object, said: str) -> None:
    async with steered(store, Scripted(store, why)):
        await ask(store, "Who are you?")
        await settled(store)
    assert store.read.messages()[-1].text == said


async def test_with_the_playbook_one_line_says_that_nobody_is_there_and_how_to_have_somebody(store: Store) -> None:
    async with steered(store, None):
        await ask(store, "Who are you?")
        await ask(store, "  ")
        await ask(store, "why? " * 1000)
        effects = await settled(store)
    assert effects[0] == "answered" and "needs words" in effects[1] and "at most 4,000 characters" in effects[2]
    _, line = store.read.messages()
    assert "Nobody is there to answer" in line.text and "agent: {model:" in line.text and "\n" not in line.text


def test_a_long_conversation_is_handed_over_within_its_budget_its_end_whole() -> None:
    turns = [Message(n, "agent" if n % 2 == 0 else "person", f"turn {n} " * 100, (), 0.0, None) for n in range(1, 101)]
    handed = so_far(turns, 2000)
    assert handed[-1]["content"] == turns[-1].text and handed[-1]["role"] == "assistant"
    assert len(handed[0]["content"]) <= 240 < len(turns[0].text) and 10 < len(handed) < 100
    assert sum(len(turn["content"]) for turn in handed) < 2000 * 6


def test_experiments_that_do_not_exist_are_marked_however_they_are_named() -> None:
    said = "#3 beat exp-0002 and experiment 12; exp-0044 did not, nor did experiments 5."
    none = " (there is no such experiment)"
    right = f"#3 beat exp-0002 and experiment 12{none}; exp-0044{none} did not, nor did experiments 5{none}."
    assert marked(said, range(4)) == right
