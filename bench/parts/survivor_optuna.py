"""The small job as trials of an Optuna study on SQLite: ``python -m bench.parts.survivor_optuna FOLDER EXPERIMENTS``.

With ``heartbeat`` as a third argument trials have a heartbeat and those that have lost theirs are queued again, as its
guide recommends for processes that may be killed; the heartbeat is the shortest that there is, one second.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import TrialState

from bench.parts.small_job import STAGES, work

FOLDER, EXPERIMENTS, BEATS = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["heartbeat"]

LOOK_SECONDS = 0.1
"""How often it is looked whether a trial has lost its heartbeat where there is nothing else to do."""


def objective(trial: optuna.Trial) -> float:
    number = trial.suggest_int("experiment", 0, EXPERIMENTS - 1)
    for name in STAGES:
        work(FOLDER, number, name)
    return float(number)


def main() -> None:
    """Queue the experiments, once, and do what is queued until nothing is or can be any more."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    beats = {"heartbeat_interval": 1, "heartbeat_stale_trial_callback": RetryHeartbeatStaleTrialCallback()}
    storage = RDBStorage(f"sqlite:///{FOLDER}/optuna.sqlite", **(beats if BEATS else {}))
    study = optuna.create_study(study_name="small-job", storage=storage, load_if_exists=True)
    for number in range(EXPERIMENTS):
        study.enqueue_trial({"experiment": number}, skip_if_exists=True)
    while True:
        if study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            study.optimize(objective, n_trials=1)
        elif BEATS and study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            time.sleep(LOOK_SECONDS)
            fail_stale_trials(study)
        else:
            break


if __name__ == "__main__":
    main()
