"""A run as others read it: the TSV of karpathy/autoresearch with our columns after it, and a status as JSON."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from checkpoints.measurements import HeldRows, Measurement
from checkpoints.reader import Reader
from checkpoints.records import BASELINE, ENDS, Interval, Json, Lane, Row, RunState, State, model_name
from checkpoints.store import holder
from checkpoints.thought import Spent
from checkpoints.trust import PromotionTest
from lanes.analyze.verdict import votes_of
from lanes.arena_desk import ARENA, where_it_serves
from runner.judges import judge_of
from runner.promotion import name_of

COLUMNS = (
    "commit", "win_rate", "memory_gb", "status", "description",
    "experiment", "category", "field", "old", "new", "low", "high", "wins", "losses", "ties", "final_loss",
    "train_seconds", "parent", "opponent", "reason", "judge",
    "proposer", "expected", "effect", "effect_low", "effect_high", "value", "value_low", "value_high", "locked",
    "trainings", "refusals", "agent_tokens", "agent_usd",
)  # fmt: skip
"""The first five stand for the original's ``commit, val_bpb, memory_gb, status, description``; the metric is ours.
Where a script is edited they are the original's: a commit of git, and the script's metric under its own name."""

_DIGITS = {"win_rate": 6, "memory_gb": 1, "low": 4, "high": 4, "final_loss": 4, "train_seconds": 1, "agent_usd": 6}

_STATUS = {State.KEPT: "keep", State.DISCARDED: "discard", State.CRASHED: "crash"}


@dataclass(frozen=True, slots=True)
class Beside:
    """What the table says of an experiment that its row does not have."""

    memory_gb: float = 0.0
    """The most memory that its training took, in GiB."""

    judge: str = ""
    """``votes``, ``simulated votes``, ``partly simulated votes``, or the metric in their place; empty before any."""

    spent: Spent | None = None
    """What the agent used for it; None where nobody asked it."""

    refusals: int = 0
    """Proposals that were refused before it."""

    trainings: int = 0
    """Of its recipe, where a metric is measured over several."""

    locked: float | None = None
    """Mean of the metric on the locked hold-out, which is looked at for keeps only."""

    commit: str = ""
    """Of git, with the script that was run; empty where no script is edited."""


def results_tsv(read: Reader) -> str:
    """All experiments that have ended, one line each, with a header."""
    found, rows = beside(read), read.rows()
    of_script = bool(rows) and "files" in (rows[0].experiment.recipe or {})
    judge = found.get(BASELINE, Beside()).judge if of_script else ""
    lines = ["\t".join(judge if judge and name == "win_rate" else name for name in COLUMNS)]
    for row in rows:
        if row.experiment.state in ENDS:
            lines.append("\t".join(_cells(row, found.get(row.experiment.number, Beside()), of_script)))
    return "\n".join(lines) + "\n"


def beside(read: Reader) -> dict[int, Beside]:
    """By experiment; one of which nothing is known is left out."""
    found = {number: Beside(judge=votes_of(voters)) for number, voters in read.voters().items()}
    for stage in read.stages():
        before = found.get(stage.experiment, Beside())
        if stage.lane is Lane.TRAIN and stage.result:
            memory, commit = stage.result.get("peak_memory", 0) / 2**30, str(stage.result.get("commit", ""))[:7]
            found[stage.experiment] = replace(before, memory_gb=memory, commit=commit)
        if stage.lane is Lane.EVALUATE and stage.result.get("judge", "votes") != "votes":
            found[stage.experiment] = replace(before, judge=stage.result["judge"])
    for number, spent in read.spent_by_experiment().items():
        found[number] = replace(found.get(number, Beside()), spent=spent)
    for number, refusals in read.refusals_by_experiment().items():
        found[number] = replace(found.get(number, Beside()), refusals=refusals)
    for number, trainings in Counter(one.experiment for one in read.measurements()).items():
        found[number] = replace(found.get(number, Beside()), trainings=trainings)
    for number, locked in on_locked_rows(read.measurements(rows=HeldRows.LOCKED)).items():
        found[number] = replace(found.get(number, Beside()), locked=locked)
    return found


def on_locked_rows(measurements: Sequence[Measurement]) -> dict[int, float]:
    """Mean of the metric on the locked hold-out by experiment; one without a number is left out."""
    values: dict[int, list[float]] = {}
    for one in measurements:
        if one.value is not None:
            values.setdefault(one.experiment, []).append(one.value)
    return {number: fmean(found) for number, found in values.items()}


def record(row: Row, beside: Beside) -> Json:
    """An experiment under the names of ``COLUMNS``; rates are shares of 1, None where there is nothing to say."""
    experiment, verdict, change = row.experiment, row.verdict, row.experiment.proposal.change
    reference = verdict.reference if verdict else None
    return {
        "commit": experiment.model,
        "win_rate": reference and reference.estimate,
        "memory_gb": beside.memory_gb,
        "status": _STATUS.get(experiment.state, str(experiment.state)),
        "description": f"{change}: {experiment.proposal.hypothesis}" if change else "baseline",
        "experiment": experiment.number,
        "category": experiment.proposal.category,
        "field": change and change.field,
        "old": change and change.old,
        "new": change and change.new,
        "low": reference and reference.low,
        "high": reference and reference.high,
        "wins": verdict.wins if verdict else 0,
        "losses": verdict.losses if verdict else 0,
        "ties": verdict.ties if verdict else 0,
        "final_loss": row.final_loss,
        "train_seconds": row.train_seconds,
        "parent": experiment.parent,
        "opponent": experiment.opponent,
        "reason": verdict.reason if verdict else experiment.note,
        "judge": beside.judge or None,
        "proposer": experiment.proposal.proposer,
        "expected": expected.effect if (expected := experiment.proposal.expected) else None,
        **_ends("effect", verdict.effect if verdict else None),
        **_ends("value", verdict.value if verdict else None),
        "locked": beside.locked,
        "trainings": beside.trainings or None,
        "refusals": beside.refusals,
        "agent_tokens": beside.spent and beside.spent.tokens,
        "agent_usd": beside.spent and (None if beside.spent.unpriced == beside.spent.exchanges else beside.spent.usd),
    }


def _ends(name: str, interval: Interval | None) -> Json:
    return {
        name: interval and interval.estimate,
        f"{name}_low": interval and interval.low,
        f"{name}_high": interval and interval.high,
    }


def status(folder: Path, read: Reader) -> Json:
    """What the run is doing, for a script: counts after the baseline, champion, lanes; rates are shares of 1, times UTC
    seconds."""
    run, reign = read.run(), read.champion()
    if run is None:
        return {"state": "starting", "held_by": holder(folder)}
    promoted, tests = read.promoted(), read.promotion_tests()
    verdict = read.verdict(reign.experiment) if reign else None
    spent = read.spent()
    # What was cancelled has used nothing of the budget.
    ended = [one for one in read.experiments(*ENDS - {State.CANCELLED}) if one.number != BASELINE]
    at_work = read.at_work()
    progress = {one.lane: one for one in reversed(at_work)}
    return {
        "name": run.name,
        "goal": run.goal,
        "state": run.state,
        "reason": run.reason,
        "held_by": holder(folder),
        "experiments": {
            "budget": run.experiments,
            "ended": len(ended),
            "kept": sum(one.state is State.KEPT for one in ended),
        },
        "champion": model_name(reign.experiment) if reign else None,
        "win_rate_against_reference": _interval(verdict.reference) if verdict else None,
        "metric_value": _interval(verdict.value) if verdict else None,
        "agent": {"exchanges": spent.exchanges, "tokens": spent.tokens, "usd": spent.usd, "unpriced": spent.unpriced},
        "promoted": model_name(promoted.experiment) if promoted else None,
        "promotion_test": _test(tests[-1]) if tests else None,
        "judge": judge_of(read, reign.experiment if reign else None),
        "simulated_votes": read.simulated_votes(),
        "excluded_voters": [one.voter for one in read.exclusions()],
        "arena": where_it_serves(folder / ARENA) or None,
        "lanes": {
            lane: {
                "experiment": now.experiment,
                "doing": now.doing,
                "done": now.done,
                "total": now.total,
                "eta": now.eta,
                "in_hand": [one.experiment for one in at_work if one.lane is lane and one.experiment is not None],
            }
            for lane in Lane
            if (now := progress.get(lane))
        },
        "pending": [intervention.step for intervention in read.interventions(pending_only=True)],
        "last_event": next((event.text for event in read.events(last=1)), None),
        "at": time.time(),
    }


def _test(test: PromotionTest) -> Json:
    """A test on fresh votes; counts are those at its end."""
    return {
        "number": test.number,
        "model": model_name(test.experiment),
        "against": name_of(test.opponent),
        "open": test.ended_at is None,
        "outcome": test.outcome,
        "voters": test.voters,
        "win_rate": _interval(test.win_rate),
        "reason": test.reason,
    }


def status_line(now: Json) -> str:
    """The status for a person, in a few lines."""
    if "name" not in now:
        return f"{now['state']}; held by {now['held_by'] or 'nobody'}"
    rate = now["win_rate_against_reference"]
    judged = " by simulated voters" if now["simulated_votes"] else ""
    against = "of held-out pairs in the right order" if now["judge"] == "val_pref_acc" else "against the reference"
    shown = f", {rate['estimate']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}] {against}{judged}" if rate else ""
    if (value := now["metric_value"]) and not rate:
        shown = f", {now['judge']} {value['estimate']:.6g} [{value['low']:.6g}, {value['high']:.6g}]"
    counts = now["experiments"]
    lines = [
        f"{now['name']}: {now['state']}" + (f" ({now['reason']})" if now["reason"] else ""),
        f"  champion {now['champion'] or 'none yet'}{shown}",
        f"  {counts['ended']} of {counts['budget']} experiments ended after the baseline, {counts['kept']} kept",
        f"  {_holder(now)}",
    ]
    if now["promoted"]:
        lines.append(f"  {now['promoted']} is promoted")
    if test := now["promotion_test"]:
        said = "goes on" if test["open"] else test["outcome"] or f"called off ({test['reason']})"
        lines.append(f"  promotion test {test['number']}, {test['model']} against {test['against']}: {said}")
    if now["arena"]:
        lines.append(f"  arena {now['arena']}")
    lines += [f"  {lane:8} {_lane(lane_now)}" for lane, lane_now in now["lanes"].items()]
    return "\n".join(lines)


def _holder(now: Json) -> str:
    if now["held_by"]:
        return f"held by {now['held_by']}"
    if now["state"] == RunState.FINISHED:
        return "held by nobody: nothing is left to do"
    return "held by nobody, so nothing goes on; start it again with: autoresearch-tui FOLDER"


def _lane(now: Json) -> str:
    if now["experiment"] is None:
        return f"waits for {now['doing']}"
    share = f" {now['done'] / now['total']:.0%}" if now["total"] else ""
    return f"{model_name(now['experiment'])} {now['doing']}{share}"


def _cells(row: Row, beside: Beside, of_script: bool) -> list[str]:
    change = row.experiment.proposal.change
    values = record(row, beside) | ({"old": str(change.old), "new": str(change.new)} if change else {})
    if of_script:  # as in the original, where a crash is 0
        values |= {"commit": beside.commit or row.experiment.model, "win_rate": values["value"] or 0.0}
    return [_cell(values[name], _DIGITS.get(name)) for name in COLUMNS]


def _cell(value: object, digits: int | None) -> str:
    if value is None:
        return ""
    return " ".join((str(value) if digits is None else f"{value:.{digits}f}").split())


def _interval(interval: Interval | None) -> Json | None:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high} if interval else None
