"""The verbs: every way in which the store changes, each one transaction, to be run by ``Store.do``.

A step of an experiment's life and the record that proves it are one write, so that no kill can separate them.
"""

from checkpoints.writes.experiment import (
    ENTERED,
    LEFT,
    OUTCOME_ENDS,
    WAITING_FOR,
    Conflict,
    cancel,
    change_champion,
    conclude,
    crash,
    evaluate_again,
    fail_stage,
    finish_stage,
    propose,
    start_stage,
)
from checkpoints.writes.findings import (
    add_answers,
    add_hypothesis,
    add_metrics,
    add_prompts,
    add_votes,
    add_zoom_out,
    put_forward,
    settle_hypothesis,
)
from checkpoints.writes.log import event
from checkpoints.writes.person import Moved, acknowledge, as_seen, intervene, keep, unkeep, veto, withdraw
from checkpoints.writes.run import (
    create_run,
    end_waits,
    read_program,
    set_progress,
    set_run,
    start_waiting,
    stop_waiting,
)

__all__ = [
    "ENTERED",
    "LEFT",
    "OUTCOME_ENDS",
    "WAITING_FOR",
    "Conflict",
    "Moved",
    "acknowledge",
    "add_answers",
    "add_hypothesis",
    "add_metrics",
    "add_prompts",
    "add_votes",
    "add_zoom_out",
    "as_seen",
    "cancel",
    "change_champion",
    "conclude",
    "crash",
    "create_run",
    "end_waits",
    "evaluate_again",
    "event",
    "fail_stage",
    "finish_stage",
    "intervene",
    "keep",
    "propose",
    "put_forward",
    "read_program",
    "set_progress",
    "set_run",
    "settle_hypothesis",
    "start_stage",
    "start_waiting",
    "stop_waiting",
    "unkeep",
    "veto",
    "withdraw",
]
