"""A whole run as one JSON object, for other programs: experiments, the agent's part, notes, zoom-outs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from checkpoints.records import ENDS, Json, Row
from runner.agent.calibration import calibrated
from runner.results import Beside, beside, record

if TYPE_CHECKING:
    from checkpoints.reader import Reader
    from checkpoints.thought import Spent


def results_json(read: Reader) -> Json:
    """What the table says, with the texts that do not fit a table; times are UTC seconds, rates shares of 1."""
    rows, found, run = read.rows(), beside(read), read.run()
    return {
        "name": run.name if run else None,
        "goal": run.goal if run else None,
        "experiments": [
            record(row, found.get(row.experiment.number, Beside())) | _believed(row)
            for row in rows
            if row.experiment.state in ENDS
        ],
        "agent": _agent(read.spent(), len(read.refusals())),
        "calibration": _calibration(rows),
        "trainings": len({(one.experiment, one.seed) for one in read.measurements()}),
        "notes": [asdict(note) for note in read.notes()],
        "hypotheses": [asdict(one) for one in read.hypotheses()],
        "zoom_outs": [asdict(one) for one in read.zoom_outs()],
    }


def _believed(row: Row) -> Json:
    proposal, verdict = row.experiment.proposal, row.verdict
    return {
        "hypothesis": proposal.hypothesis,
        "change": asdict(proposal.change) if proposal.change else None,
        "rests_on": list(proposal.rests_on),
        "refuted_by": proposal.expected.refuted_by if proposal.expected else None,
        "win_rate_against_opponent": asdict(verdict.win_rate) if verdict and verdict.win_rate else None,
    }


def _agent(spent: Spent, refusals: int) -> Json:
    return asdict(spent) | {"refusals": refusals}


def _calibration(rows: list[Row]) -> Json:
    found = calibrated(rows)
    return asdict(found) | {"sentence": str(found)}
