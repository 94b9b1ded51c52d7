"""A kept experiment as files: its recipe, and the evidence for it, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import yaml

from checkpoints.measurements import Measurement
from checkpoints.records import Interval, Json, Row, model_name
from checkpoints.text import clean
from runner.report.wording import changed, count, shortened
from runner.results import Beside, record

RECIPE, FOR_PEOPLE, FOR_PROGRAMS = "recipe.yaml", "evidence.md", "evidence.json"


def files(row: Row, beside: Beside, measured: Sequence[Measurement]) -> dict[str, bytes]:
    """The files, by their names.

    Args:
        row: The experiment, with its recipe.
        beside: What the table says of it besides.
        measured: Repeated measurements of its metric; none where people voted.
    """
    evidence = _as_json(row, beside, measured)
    return {
        RECIPE: recipe(row),
        FOR_PEOPLE: ("\n".join(_lines(row, beside, measured)) + "\n").encode(),
        FOR_PROGRAMS: (json.dumps(evidence, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode(),
    }


def recipe(row: Row) -> bytes:
    """The complete recipe, in the order of its fields, so that two of them differ in what was changed."""
    return yaml.safe_dump(row.experiment.recipe or {}, sort_keys=False, allow_unicode=True).encode()


def subject(row: Row) -> str:
    """A commit's first line: which experiment, how it stands, what it altered."""
    verdict = row.verdict
    rate = f" {verdict.win_rate.estimate:.1%}" if verdict and verdict.win_rate else ""
    value = f" {verdict.value.estimate:.6g}" if verdict and verdict.value else ""
    return shortened(clean(f"{row.experiment.model}{rate}{value}: {changed(row)}"), 100)


def body(row: Row) -> str:
    """What else a commit's message says: the hypothesis, and the verdict in a sentence."""
    said = (row.experiment.proposal.hypothesis, row.verdict.reason if row.verdict else row.experiment.note)
    return clean("\n\n".join(shortened(text, 600) for text in said if text))


def _as_json(row: Row, beside: Beside, measured: Sequence[Measurement]) -> Json:
    experiment, verdict = row.experiment, row.verdict
    expected = experiment.proposal.expected
    return record(row, beside) | {
        "commit": experiment.model,
        "hypothesis": experiment.proposal.hypothesis,
        "proposer": experiment.proposal.proposer,
        "expected": expected and {"effect": expected.effect, "refuted_by": expected.refuted_by},
        "win_rate_against_opponent": _interval(verdict and verdict.win_rate),
        "anytime": _interval(verdict and verdict.anytime),
        "shrunken": verdict and verdict.shrunken,
        "voters": verdict.voters if verdict else 0,
        "value": _interval(verdict and verdict.value),
        "effect": _interval(verdict and verdict.effect),
        "measurements": [
            {"experiment": one.experiment, "seed": one.seed, "role": str(one.role), "value": one.value}
            for one in measured
        ],
    }


def _lines(row: Row, beside: Beside, measured: Sequence[Measurement]) -> Iterator[str]:
    experiment, verdict = row.experiment, row.verdict
    yield f"# {experiment.model}: {clean(changed(row))}"
    yield from ("", shortened(clean(experiment.proposal.hypothesis), 2000))
    if verdict:
        yield from ("", f"**{verdict.outcome}**: {shortened(clean(verdict.reason), 2000)}")
    facts = {
        "category": experiment.proposal.category,
        "proposed by": experiment.proposal.proposer,
        "built on": "" if experiment.parent is None else model_name(experiment.parent),
        "against": "" if experiment.opponent is None else model_name(experiment.opponent),
        "judged by": beside.judge,
        **(_figures(row) if verdict else {}),
        "measured": ", ".join(f"{one.value:.6g}" for one in measured if one.value is not None),
    }
    yield from ("", *(f"- {name}: {shortened(clean(text), 400)}" for name, text in facts.items() if text))


def _figures(row: Row) -> dict[str, str]:
    verdict = row.verdict
    if verdict is None:
        return {}
    votes = (
        f"{verdict.wins:,} for it, {verdict.losses:,} against, {verdict.ties:,} ties, {count(verdict.voters, 'voter')}"
    )
    return {
        "votes": votes if verdict.wins + verdict.losses + verdict.ties else "",
        "win rate": _with_ends(verdict.win_rate, "95 %, Wilson"),
        "win rate, however often one looks": _with_ends(verdict.anytime, "95 %, anytime-valid"),
        "win rate, shrunken": "" if verdict.shrunken is None else f"{verdict.shrunken:.4f}",
        "metric": _with_ends(verdict.value, "95 %"),
        "gain": _with_ends(verdict.effect, "95 %"),
    }


def _with_ends(interval: Interval | None, what: str) -> str:
    return f"{interval.estimate:.6g} ({interval.low:.6g} to {interval.high:.6g}; {what})" if interval else ""


def _interval(interval: Interval | None) -> Json | None:
    return interval and {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
