"""Optuna's ask and tell, which have no asynchronous form: ``python -m bench.parts.enduring_optuna FOLDER SECONDS``."""

from __future__ import annotations

import asyncio
import sys

import optuna
from optuna.trial import TrialState

from bench.parts.enduring import Endured, endure


async def main(path: str, seconds: float) -> Endured:
    """Endure it."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.create_study(storage=f"sqlite:///{path}", sampler=optuna.samplers.RandomSampler())

    async def write(number: int) -> None:
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.tell(trial, number)

    found = await endure(write, seconds)
    there = {int(trial.values[0]) for trial in study.get_trials(states=(TrialState.COMPLETE,))}
    found.missing = sum(number not in there for number in range(len(found.acknowledged)))
    return found


if __name__ == "__main__":
    asyncio.run(main(f"{sys.argv[1]}/optuna.sqlite", float(sys.argv[2]))).tell()
