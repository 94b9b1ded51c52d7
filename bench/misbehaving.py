"""A night of 100 experiments with a model that misbehaves in 30 % of its answers: it is done, and no GPU has waited.

    python -m bench.misbehaving

The lanes sleep; the model is a service on loopback, asked through litellm as any other. What it does wrong comes in
equal parts: no JSON, two changes at once, what it proposed before, a refusal to answer, 429 with Retry-After, nothing
until the time is over, and an answer of a megabyte. About four minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from proposing import said
from scripted_model import NAME, Asked, Reply, fails, hangs, refuses, says, scripted_model
from sleeping import drive

from checkpoints.records import ENDS, Json, Lane
from checkpoints.store import Store
from runner.agent.agent import Agent
from runner.agent.model import Model
from runner.settings import Agent as Settings

EXPERIMENTS, SHARE, SEED = 100, 0.3, 11
SECONDS = {Lane.TRAIN: 2.0, Lane.UPLOAD: 0.08, Lane.EVALUATE: 1.2, Lane.ANALYZE: 0.04}
TIMEOUT, THINKS = 3.0, 0.4
"""Seconds that an answer may take, and that a good one does."""

MUST_IDLE = 0.02

_KINDS = [("training.beta", 0.2, "loss"), ("training.learning_rate", 0.01, "optimiser"), ("data.mix.b", 2.0, "data")]


class Misbehaving:
    """What the model says, in turn; asked from several threads."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._random, self._lock, self._number = random.Random(SEED), threading.Lock(), 0
        self._last: Json = said()

    def __call__(self, asked: Asked) -> Reply:
        with self._lock:
            if self._random.random() >= SHARE:
                return self._good()
            how = self._random.choice(
                ["no JSON", "two changes", "a repetition", "a refusal", "429", "a time-out", "a megabyte"]
            )
            self.counts[how] += 1
            return self._bad(how)

    def _good(self) -> Reply:
        self.counts["good"] += 1
        self._number += 1
        kinds = [
            ("training.beta", 0.2, "loss"),
            ("training.learning_rate", 0.01, "optimiser"),
            ("data.mix.b", 2, "data"),
        ]
        field, start, category = kinds[self._number % len(kinds)]
        self._last = said(field, start + self._number / 1000, category, text=f"hypothesis {self._number}")
        return says(self._last, pause=THINKS)

    def _bad(self, how: str) -> Reply:
        match how:
            case "no JSON":
                return says('Sure! Here is what I would try: {"hypothesis": ', pause=THINKS)
            case "two changes":
                also = [{"field": "training.learning_rate", "new": 0.02}]
                return says(said("training.beta", 0.9, also=also), pause=THINKS)
            case "a repetition":
                return says(self._last, pause=THINKS)
            case "a refusal":
                return refuses()
            case "429":
                return fails(429, "slow down", retry_after="1")
            case "a time-out":
                return hangs(4 * TIMEOUT)
            case _:
                return says(said(text="x" * 1_000_000), piece=20_000)


async def night(folder: Path, model: Misbehaving) -> None:
    with Store(folder) as store, scripted_model() as service:
        service.script(model)
        settings = Settings(model=NAME, api_base=service.base, timeout_seconds=TIMEOUT)
        agent = Agent(Model(store, lambda: settings), store)
        began = time.monotonic()
        telling = asyncio.create_task(_tell(store))
        await drive(store, EXPERIMENTS, SECONDS, proposer=agent)
        telling.cancel()
        took = time.monotonic() - began
        await agent.close()
        _table(store, model, took)


async def _tell(store: Store) -> None:
    while True:
        await asyncio.sleep(20)
        print(f"  {store.read.count(*ENDS)} of {EXPERIMENTS + 1}", flush=True)


def _table(store: Store, model: Misbehaving, took: float) -> None:
    passages = [(one.started_at, one.finished_at or 0.0) for one in store.read.stages() if one.lane is Lane.TRAIN]
    first, last = min(began for began, _ in passages), max(ended for _, ended in passages)
    idle = 1 - sum(ended - began for began, ended in passages) / (last - first)
    waits = [wait for wait in store.read.waits() if wait.lane is Lane.TRAIN and wait.what == "a proposal"]
    waited = sum(wait.until - wait.since for wait in waits if wait.until and wait.since > first and wait.until < last)
    proposers = Counter(one.proposal.proposer for one in store.read.experiments()[1:])
    bad = model.counts.total() - model.counts["good"]
    print(f"answers                  {model.counts.total()}, {bad / model.counts.total():.0%} of them bad: "
          + ", ".join(f"{count} {how}" for how, count in model.counts.most_common() if how != "good"))  # fmt: skip
    print(f"experiments done         {store.read.count(*ENDS) - 1} (must: {EXPERIMENTS}), in {took:.0f} s")
    print(f"proposed by              {', '.join(f'{who} {count}' for who, count in proposers.most_common())}")
    print(f"refused and kept         {len(store.read.refusals())}; exchanges {store.read.spent().exchanges}")
    print(f"train lane idle          {idle:.2%} (must: ≤ {MUST_IDLE:.0%}), for want of a proposal "
          f"{waited / (last - first):.2%}")  # fmt: skip


def main() -> None:
    os.environ.setdefault("OPENAI_API_KEY", "sk-bench")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(night(Path(folder), Misbehaving()))


if __name__ == "__main__":
    main()
