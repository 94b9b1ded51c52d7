"""What no single field can know: where the fields of a program contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lanes.arena.on_policy import is_asked_for
from runner.change import ChangeRefused
from runner.fields import Knob, get, inside, interface_of, kind_of, normal
from runner.metric_checks import metric_contradictions
from runner.places import is_url
from runner.problems import Problem, did_you_mean, shown
from runner.settings import Settings

DPO_ONLY = frozenset({"training.beta", "training.loss_type", "training.label_smoothing", "data.filters.min_margin"})
"""Recipe fields without effect under supervised fine-tuning."""

SOURCE_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


def contradictions(settings: Settings) -> list[Problem]:
    """Every contradiction between valid fields, with the field that has to change."""
    checks = (_urls, _sources, _on_policy, _recipe, _space, _judge, metric_contradictions, _votes, _pull)
    return [problem for check in checks for problem in check(settings)]


def _urls(settings: Settings) -> Iterator[Problem]:
    heldout = settings.data.heldout
    for path, place in (
        (("model",), settings.model.name),
        *((("data", "sources", name), source.path) for name, source in settings.data.sources.items()),
        *((("data", "heldout", name), source.path) for name, source in heldout if source is not None),
    ):
        if is_url(place):
            yield Problem(path, f"{shown(place)} is a URL, which is not read", "a local file or folder, or a hub id")


def _sources(settings: Settings) -> Iterator[Problem]:
    names = settings.data.sources
    for name in names:
        if not SOURCE_NAME.match(name):
            yield Problem(("data", "sources", name), "does not fit as a name", "letters, digits, _ and -, at most 64")
    for name in settings.recipe.data.mix:
        if name not in names:
            yield Problem(
                ("recipe", "data", "mix", name),
                f"there is no such source in data.sources{did_you_mean(name, names)}",
                ", ".join(names),
            )


def _on_policy(settings: Settings) -> Iterator[Problem]:
    """Users' votes as a source: there are none before the first answer, so the baseline cannot be trained on them."""
    for name, source in settings.data.sources.items():
        if not is_asked_for(source):
            continue
        if settings.evaluate.voters not in ("arena", "simulated") or settings.evaluate.judge != "votes":
            yield Problem(
                ("data", "sources", name),
                "arena means users' votes at the arena, and nobody votes there",
                "evaluate.judge: votes with evaluate.voters: arena; or a file",
            )
        if settings.recipe.data.mix.get(name):
            yield Problem(
                ("recipe", "data", "mix", name),
                "starts above 0, and there are no votes before the first model is served",
                f"0, and space: {{data.mix.{name}: {{min: 0, max: 3}}}} for experiments to raise it",
            )


def _recipe(settings: Settings) -> Iterator[Problem]:
    if settings.recipe.method != settings.method:
        yield Problem(("recipe", "method"), "contradicts the method above", "leave it out here")
    if settings.method != "sft":
        return
    for field in sorted(DPO_ONLY):
        *parents, name = field.split(".")
        part = settings.recipe
        for parent in parents:
            part = getattr(part, parent)
        if name in part.model_fields_set:
            yield Problem(("recipe", *parents, name), "has no effect with method: sft", "leave it out, or method: dpo")


def _space(settings: Settings) -> Iterator[Problem]:
    start = settings.recipe.model_dump(mode="json")
    for field, knob in settings.knobs.items():
        path = ("space", field)
        try:
            interface_of(field)
            kind = kind_of(field)
            value = get(start, field)
            _ends_fit(field, knob)
        except ChangeRefused as refused:
            yield Problem(path, str(refused).removeprefix(f"{field}: "))
            continue
        if settings.method == "sft" and field in DPO_ONLY:
            yield Problem(path, "has no effect with method: sft", "leave it out, or method: dpo")
        elif kind == "other" and knob.choices is None:
            yield Problem(path, "is not a number", "{choices: […, …]}")
        elif value is not None and not inside(knob, field, value):
            yield Problem(path, f"the recipe starts with {shown(value)}, which is outside", str(knob))


def _ends_fit(field: str, knob: Knob) -> None:
    """Refuse a knob that could be turned to where no recipe is valid."""
    if kind_of(field) == "other" and knob.choices is None:
        return
    for value in knob.choices if knob.choices is not None else (knob.min, knob.max):
        normal(field, value)


def _judge(settings: Settings) -> Iterator[Problem]:
    heldout = settings.data.heldout
    if settings.evaluate.judge == "votes" and heldout.prompts is None:
        yield Problem(
            ("data", "heldout", "prompts"),
            "is missing: evaluate.judge: votes needs held-out prompts to show answers to",
            "a local file or a hub id; or evaluate.judge: val_pref_acc",
        )


def _votes(settings: Settings) -> Iterator[Problem]:
    evaluate = settings.evaluate
    if evaluate.max_votes < evaluate.min_votes:
        yield Problem(
            ("evaluate", "max_votes"),
            f"{evaluate.max_votes} is below evaluate.min_votes, {evaluate.min_votes}",
            f"at least {evaluate.min_votes} (a whole number)",
        )


def _pull(settings: Settings) -> Iterator[Problem]:
    evaluate = settings.evaluate
    if evaluate.voters == "pull" and evaluate.pull is None:
        where = "{url: https://…}, {path: votes.jsonl} or {sql: sqlite:///votes.db, query: SELECT …}"
        yield Problem(("evaluate", "pull"), "is missing: evaluate.voters: pull fetches votes from somewhere", where)
    if evaluate.voters != "pull" and evaluate.pull is not None:
        yield Problem(("evaluate", "pull"), f"has no effect with voters: {evaluate.voters}", "voters: pull")
