"""A run whose language model is served by a service that fails in each way goes on, and an event says why.

The service is a real one on loopback, asked through the same process as in a real run. Elsewhere: what one question
makes of each failure, and who is asked when again (``test_language_model``, ``test_breaker``); what is done with a
proposal that is none (``test_agent``, ``test_trouble_of_a_thought``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from laws import broken_laws
from proposing import said
from scripted_model import NAME, Reply, ScriptedModel, breaks_off, fails, hangs, refuses, says, scripted_model
from sleeping import drive
from test_language_model import ASK

from checkpoints.records import Experiment, Lane
from checkpoints.store import Store
from runner.agent.agent import Agent
from runner.agent.model import Model
from runner.settings import Agent as Settings

SECONDS = {Lane.TRAIN: 3.0, Lane.UPLOAD: 0.01, Lane.EVALUATE: 0.02, Lane.ANALYZE: 0.01}
"""Time to think while the baseline is trained."""

EXPERIMENTS = 2


@pytest.fixture
def service() -> Iterator[ScriptedModel]:
    with scripted_model() as service:
        yield service


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


async def through(store: Store, service: ScriptedModel, *script: Reply, seconds: float = 2.0) -> list[str]:
    """Drive a run to its end, its model's process warm from the start; what was said of the model.

    Args:
        store: Of the run.
        service: That is asked.
        script: What it says; where there is none, it listens no more.
        seconds: That it may take.
    """
    settings = Settings(model=NAME, api_base=service.base, timeout_seconds=60)
    model = Model(store, lambda: settings)
    service.script(says("ready"))
    await model.ask(ASK)
    settings = settings.model_copy(update={"timeout_seconds": seconds})
    if script:
        service.script(*script)
    else:
        service.shutdown()
        service.server_close()
    try:
        async with asyncio.timeout(90):
            await drive(store, EXPERIMENTS, SECONDS, proposer=Agent(model, store))
    finally:
        await model.close()
    assert broken_laws(store.read, EXPERIMENTS) == []
    return [event.text for event in store.read.events() if event.kind == "agent"]


def proposed_by(store: Store) -> list[str]:
    experiments: list[Experiment] = store.read.experiments()
    return [one.proposal.proposer for one in experiments][1:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (hangs(), "gave no whole answer in 2 s, agent.timeout_seconds"),
        (fails(429, "slow down", retry_after="3600"), "asks to be left alone for 3600 s"),
        (fails(429, "slow down"), "slow down"),
        (fails(500, "out of order"), "out of order"),
        (fails(503, "<html>\x1b[31mBad Gateway</html>"), "Bad Gateway"),
        (fails(401, "who are you"), "asks for a key"),
        (breaks_off(said()), "gave no whole answer in 2 s"),
        (says("x" * 1_000_000, piece=10_000), "it was cut off at"),
        (says('{"hypothesis": {"belief": '), "the JSON in it is broken"),
        (says({"hypothesis": None}), "is not of type"),
        (says(""), "empty"),
        (refuses("I cannot help with that."), "it was declined: I cannot help with that."),
    ],
    ids=["hangs", "429 for an hour", "429", "500", "503 of a proxy", "401", "half", "a megabyte", "half JSON",
         "other JSON", "nothing", "declines"],
)  # fmt: skip
async def test_whatever_the_service_does_the_run_goes_on_and_says_why(
    store: Store, service: ScriptedModel, reply: Reply, why: str
) -> None:
    told = await through(store, service, reply)
    assert service.asked and proposed_by(store) == ["playbook"] * EXPERIMENTS
    assert [line for line in told if "the playbook proposes" in line or "proposed nothing acceptable" in line]
    assert [line for line in told if why in line], told
    assert not [line for line in told if "\n" in line or "\x1b" in line or len(line) > 1000]


@pytest.mark.slow
async def test_where_nobody_listens_any_more_the_run_goes_on_and_says_where(
    store: Store, service: ScriptedModel
) -> None:
    told = await through(store, service)
    assert proposed_by(store) == ["playbook"] * EXPERIMENTS
    assert [line for line in told if service.base in line], told


@pytest.mark.slow
async def test_a_service_that_is_well_again_proposes_again(store: Store, service: ScriptedModel) -> None:
    told = await through(store, service, fails(400, "not now"), says(said()), seconds=10)
    assert proposed_by(store) == ["playbook", NAME]
    assert [line for line in told if "not now" in line]
