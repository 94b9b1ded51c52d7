"""Where the fields of a program that is judged by a number contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lanes.measure import METRIC_JUDGES
from runner.problems import Problem, shown
from runner.settings import Settings

KNOWN = {"val_pref_acc": "max", "eval_loss": "min"}
"""In which direction the metrics of the program's own are better."""

_OTHERWISE = "changes what a training measures, so it stays as it was when the run began; begin another run"


def metric_contradictions(settings: Settings) -> Iterator[Problem]:
    """Every contradiction around ``evaluate.metric``."""
    evaluate = settings.evaluate
    if evaluate.judge not in METRIC_JUDGES:
        yield from _without_effect(settings)
    elif evaluate.judge == "command":
        yield from _command(settings)
    else:
        yield from _pairs(settings)


def measured_otherwise(before: Settings, after: Settings) -> Iterator[Problem]:
    """Every field that cannot change while a run goes on that a number judges: its numbers would be of another kind."""
    judges = {before.evaluate.judge, after.evaluate.judge}
    if not judges & METRIC_JUDGES:
        return
    if len(judges) > 1:
        yield Problem(("evaluate", "judge"), _OTHERWISE)
        return
    was, becomes = _kind(before), _kind(after)
    yield from (Problem(path, _OTHERWISE) for path in was if was[path] != becomes[path])


def _kind(settings: Settings) -> Mapping[tuple[str, ...], object]:
    """What decides what a number is of, by the field that says it."""
    metric, training = settings.evaluate.metric, settings.recipe.training
    kind: dict[tuple[str, ...], object] = {("model",): settings.model}
    if settings.evaluate.judge == "command":
        names = ("name", "command", "pattern", "direction")
        return kind | {("evaluate", "metric", name): getattr(metric, name) for name in names}
    kind |= {
        ("data", "heldout", "pairs"): settings.data.heldout.pairs,
        ("train", "eval_rows"): settings.train.eval_rows,
        ("recipe", "training", "max_length"): training.max_length,
    }
    return kind | ({("recipe", "training", "beta"): training.beta} if settings.evaluate.judge == "eval_loss" else {})


def _without_effect(settings: Settings) -> Iterator[Problem]:
    if settings.evaluate.metric.model_fields_set:
        yield Problem(
            ("evaluate", "metric"), "has no effect with judge: votes", "judge: val_pref_acc, eval_loss or command"
        )
    if settings.data.heldout.locked is not None:
        yield Problem(
            ("data", "heldout", "locked"),
            "has no effect with evaluate.judge: votes",
            "leave it out; what a night of votes found is tested on fresh votes",
        )


def _pairs(settings: Settings) -> Iterator[Problem]:
    judge, metric = settings.evaluate.judge, settings.evaluate.metric
    if settings.data.heldout.pairs is None:
        yield Problem(
            ("data", "heldout", "pairs"),
            f"is missing: evaluate.judge: {judge} needs held-out pairs",
            "a local file or a hub id; or evaluate.judge: votes",
        )
    if judge == "val_pref_acc" and settings.method != "dpo":
        yield Problem(
            ("evaluate", "judge"),
            "val_pref_acc compares a policy with its DPO reference, and method: sft has none",
            "votes or eval_loss, or method: dpo",
        )
    if settings.train.eval_rows < 2:
        yield Problem(("train", "eval_rows"), f"{settings.train.eval_rows} pairs give no {judge}", "at least 2")
    if metric.direction not in (None, KNOWN[judge]):
        yield Problem(("evaluate", "metric", "direction"), f"{judge} is better the other way", KNOWN[judge])
    for name in ("name", "command", "pattern", "guards"):
        if name in metric.model_fields_set and getattr(metric, name):
            yield Problem(("evaluate", "metric", name), f"has no effect with judge: {judge}", "judge: command")


def _command(settings: Settings) -> Iterator[Problem]:
    metric = settings.evaluate.metric
    if metric.command is None:
        yield Problem(
            ("evaluate", "metric", "command"),
            "is missing: evaluate.judge: command runs it once per training",
            "a shell command; the model's folder is in $AUTORESEARCH_MODEL",
        )
    if metric.direction is None:
        yield Problem(("evaluate", "metric", "direction"), "is missing: is more better, or less?", "max or min")
    if metric.name is None and metric.pattern is None:
        yield Problem(
            ("evaluate", "metric", "name"),
            "is missing: nothing says which number that the command prints is the metric",
            "the name in 'METRIC name=number' or 'name: number'; or a pattern with one group",
        )
    if metric.name in {"votes", *METRIC_JUDGES}:
        what = f"{metric.name} is the name of a judge of evaluate.judge"
        yield Problem(("evaluate", "metric", "name"), what, "another name")
    if metric.pattern is not None:
        yield from _pattern(metric.pattern)
    if settings.data.heldout.locked is not None:
        yield Problem(
            ("data", "heldout", "locked"), "has no effect with evaluate.judge: command", "val_pref_acc or eval_loss"
        )


def _pattern(pattern: str) -> Iterator[Problem]:
    path = ("evaluate", "metric", "pattern")
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        yield Problem(path, f"{shown(pattern)} is no regular expression: {error}", r"such as 'score: ([\d.]+)'")
        return
    if groups != 1:
        yield Problem(path, f"{shown(pattern)} has {groups} groups", "one group, around the number")
