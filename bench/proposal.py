"""From a proposal to the order: what our side takes beyond the model's own time.

    python -m bench.proposal

A model that answers at once, on loopback, asked as any other: memory, prompt, schema, the process that asks, checks,
the hypothesis and the experiment on the disk, and the recipe that the train lane is ordered. Said beside it: the same
with a model within this process, which leaves out what litellm and the connection take.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median, quantiles

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from proposing import said
from runs import write_run
from scripted_model import NAME, says, scripted_model
from speaking import Scripted

from checkpoints import writes
from checkpoints.records import Lane, State
from checkpoints.store import Store
from runner.agent.agent import Agent
from runner.agent.asking import LanguageModel
from runner.agent.model import Model
from runner.planner import Planner
from runner.program import Program
from runner.settings import Agent as Settings

TIMES = 40
PROGRAM = Program.read(Path(__file__).parents[1])
MUST_MS = 50.0


def main() -> None:
    os.environ.setdefault("OPENAI_API_KEY", "sk-bench")
    for before in (0, 100):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_measure(Path(folder), before))


async def _measure(folder: Path, before: int) -> None:
    if before:
        write_run(folder, before, live=False)
    with Store(folder) as store, scripted_model() as service:
        numbers = count(1)
        service.script(lambda asked: says(_next(next(numbers))))
        settings = Settings(model=NAME, api_base=service.base)
        asked = Model(store, lambda: settings)
        over = _planner(store, asked)
        await _ordered(store, over)  # the process starts once
        _say(f"{before:4} experiments, over loopback       ", [await _ordered(store, over) for _ in range(TIMES)])
        await asked.close()
        inside = _planner(store, Scripted(store, *(_next(next(numbers)) for _ in range(TIMES + 2))))
        await _ordered(store, inside)
        _say(f"{before:4} experiments, within this process ", [await _ordered(store, inside) for _ in range(TIMES)])


def _planner(store: Store, model: LanguageModel) -> Planner:
    plan = PROGRAM.model_copy(update={"budget": PROGRAM.budget.model_copy(update={"experiments": 10_000})})
    return Planner(store, plan, Agent(model, store))


def _next(number: int) -> object:
    """Another change each time."""
    return said("training.beta", 0.2 + number / 1000, text=f"hypothesis {number}")


async def _ordered(store: Store, planner: Planner) -> tuple[float, float]:
    """Seconds from asking for a proposal to the order of the train lane, and those of them that this process worked."""
    if not store.read.count():
        await planner.propose()
        await store.do(writes.start_stage, 0, Lane.TRAIN, {}, recipe=PROGRAM.start)
        await store.do(writes.finish_stage, 0, Lane.TRAIN, 1, {}, 1.0, "the baseline")
    began, worked = time.perf_counter(), time.process_time()
    assert await planner.propose()
    experiment = store.read.experiments(State.PROPOSED)[0]
    recipe = planner.bind(experiment)
    champion = store.read.champion()
    parent = champion.experiment if champion else None
    await store.do(writes.start_stage, experiment.number, Lane.TRAIN, {}, recipe=recipe, parent=parent)
    took = time.perf_counter() - began, time.process_time() - worked
    assert experiment.proposal.proposer == planner.proposer.name
    await store.do(writes.cancel, experiment.number, "out of the way")
    return took


def _say(what: str, seconds: list[tuple[float, float]]) -> None:
    took, worked = ([1000 * each for each in column] for column in zip(*seconds, strict=True))
    tenths = quantiles(took, n=10)
    print(
        f"{what} p50 {tenths[4]:6.1f} ms   p90 {tenths[8]:6.1f} ms   (must: ≤ {MUST_MS:g});"
        f" {median(worked):5.1f} ms of this process's time",
        flush=True,
    )


if __name__ == "__main__":
    main()
