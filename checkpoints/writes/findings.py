"""What was found: answers, metrics, beliefs and the steps outside the frame."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from checkpoints.clock import now
from checkpoints.records import PERSON, PLAYBOOK, Answer, HypothesisStatus, Level, Metric, Proposal, State
from checkpoints.writes.experiment import propose
from checkpoints.writes.log import as_json, event
from checkpoints.writes.thought import led_to

if TYPE_CHECKING:
    from sqlite_utils import Database


def add_answers(db: Database, answers: Iterable[Answer]) -> None:
    """Keep what models said; the first answer of a model to a prompt stays."""
    db.conn.executemany(
        "INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(answer.experiment, answer.prompt, answer.model, answer.text) for answer in answers],
    )


def add_prompts(db: Database, prompts: Iterable[tuple[str, str]]) -> None:
    """Keep what the models were asked, as (id, text), for whoever reads their answers."""
    db.conn.executemany("INSERT INTO prompts VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text", prompts)


def add_metrics(db: Database, metrics: Iterable[Metric]) -> None:
    """Keep what a trainer logged; a step that was done again replaces what it said the first time."""
    db.conn.executemany(
        'INSERT INTO metrics VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "values" = excluded."values"',
        [(metric.experiment, metric.phase, metric.step, as_json(dict(metric.values))) for metric in metrics],
    )


def add_hypothesis(
    db: Database, text: str, category: str, experiment: int | None = None, source: str = "agent", refuted_by: str = ""
) -> int:
    """Write a belief down, before anything tests it or with the experiment that does; returns its number."""
    experiments = as_json([] if experiment is None else [experiment])
    cursor = db.execute(
        "INSERT INTO hypotheses (text, category, status, experiments, source, refuted_by) VALUES (?, ?, ?, ?, ?, ?)",
        [text, category, HypothesisStatus.OPEN, experiments, source, refuted_by],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def put_forward(db: Database, proposal: Proposal, change_hash: str) -> int:
    """Put an experiment before the train lane, with the belief that it tests; returns its number."""
    number = propose(db, proposal, change_hash)
    if proposal.belief is None:
        refuted_by = proposal.expected.refuted_by if proposal.expected else ""
        source = proposal.proposer if proposal.proposer in (PERSON, PLAYBOOK) else "agent"
        add_hypothesis(db, proposal.hypothesis, proposal.category, number, source, refuted_by)
    else:
        db.execute(
            "UPDATE hypotheses SET experiments = json_insert(experiments, '$[#]', ?) WHERE number = ?",
            [number, proposal.belief],
        )
    led_to(db, proposal.exchanges, number)
    return number


def settle_hypothesis(db: Database, experiment: int) -> None:
    """What has become of an experiment says what becomes of the belief that it tested.

    A belief is supported where its last decisive experiment is kept now, refuted where that was discarded or vetoed,
    open where none was decisive: what was inconclusive, crashed or was cancelled says nothing. The last is the one
    whose verdict fell last; a person's word stands above the verdict. So a veto speaks against, "keep anyway" speaks
    for the belief, and where that is undone it is as the verdict says again.
    """
    db.execute(
        "UPDATE hypotheses SET status = coalesce((SELECT iif(e.state = ?, ?, ?) FROM json_each(experiments) AS tested"
        " JOIN experiments AS e ON e.number = tested.value JOIN verdicts AS v ON v.experiment = e.number"
        " WHERE e.state IN (?, ?, ?) ORDER BY v.decided_at DESC, e.number DESC LIMIT 1), ?)"
        " WHERE EXISTS (SELECT 1 FROM json_each(experiments) WHERE value = ?)",
        [
            State.KEPT, HypothesisStatus.SUPPORTED, HypothesisStatus.REFUTED, State.KEPT, State.DISCARDED, State.VETOED,
            HypothesisStatus.OPEN, experiment,
        ],
    )  # fmt: skip


def add_zoom_out(
    db: Database, trigger: str, steering: str, text: str, categories: Sequence[str], directions: Sequence[str] = ()
) -> int:
    """Keep the text of a step outside the frame; returns its number."""
    cursor = db.execute(
        'INSERT INTO zoom_outs ("trigger", steering, text, categories, at, directions) VALUES (?, ?, ?, ?, ?, ?)',
        [trigger, steering, text, as_json(list(categories)), now(db), as_json(list(directions))],
    )
    number = cursor.lastrowid
    assert number is not None
    event(db, Level.INFO, "zoom-out", f"zoom-out {number} ({trigger}): {', '.join(categories) or 'nothing left'}")
    return number


def count_zoom_outs(db: Database) -> int:
    """How many steps outside the frame there are, for a write that is to follow from what was so before it."""
    return int(db.execute("SELECT count(*) FROM zoom_outs").fetchone()[0])
