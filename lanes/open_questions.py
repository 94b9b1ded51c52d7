"""What votes are wanted on, and the lineup that the arena is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import REFERENCE, Json, VoterMeans, model_name
from lanes.arena.ballots import Exposure
from lanes.arena.lineup import Arm, Lineup
from lanes.evaluate_settings import EvaluateSettings
from lanes.published import Published
from lanes.rows import Prompt
from lanes.terms import Terms


@dataclass(slots=True)
class OpenQuestion:
    """A question that votes are wanted on."""

    terms: Terms
    models: Json
    """Where its models are and how they are served, by name."""

    prompts: list[Prompt]
    """Held-out, in its order."""

    means: Callable[[], VoterMeans]
    """What the voters have said so far."""


def served_always(read: Reader, published: Published) -> list[int]:
    """Experiments whose models are served whatever is open: the champion and the promoted one, once published."""
    reigning = (read.champion(), read.promoted())
    numbers = dict.fromkeys(each.experiment for each in reigning if each)
    return [number for number in numbers if published.is_there(number)]


def lineup_of(
    read: Reader,
    published: Published,
    settings: EvaluateSettings,
    asked: Mapping[str, OpenQuestion],
    exposures: Mapping[str, Sequence[Exposure]],
    server: Path | None,
) -> Lineup | None:
    """Who may meet whom now.

    Args:
        read: Of the run's store.
        published: Its models.
        settings: What the program says.
        asked: What is open, by name.
        exposures: What users were given in each open question, by name.
        server: Folder of the model server; None while it is not up.

    Returns:
        None before there is any model.
    """
    reign, promoted = read.champion(), read.promoted()
    champion = model_name(reign.experiment) if reign else _first(asked.values())
    if champion is None:
        return None
    models = published.models(served_always(read, published))
    for question in asked.values():
        models |= question.models
    return Lineup(
        arms=tuple(_arm(question, exposures.get(name, ())) for name, question in asked.items()),
        champion=champion,
        promoted=model_name(promoted.experiment) if promoted else None,
        deployments={name: model["deployment"] for name, model in models.items()},
        server=server,
        reference_share=settings.reference_share,
        traffic_share=settings.arena.traffic_share,
        max_exposure=settings.arena.max_exposure,
        votes_per_voter=settings.votes_per_voter,
        votes_per_prompt=settings.votes_per_prompt,
        min_seconds=settings.arena.min_seconds,
        attention_every=settings.arena.attention_every,
        excluded=frozenset(each.voter for each in read.exclusions()),
        seed=settings.seed,
    )


def _first(asked: Iterable[OpenQuestion]) -> str | None:
    """A model to serve while nothing reigns."""
    for question in asked:
        terms = question.terms
        return terms.candidate if terms.opponent == REFERENCE else terms.opponent
    return None


def _arm(question: OpenQuestion, shown: Sequence[Exposure]) -> Arm:
    terms, means = question.terms, question.means()
    exposure = sum(each.shown for each in shown if each.model == terms.candidate)
    return Arm(
        experiment=terms.experiment, test=terms.test, candidate=terms.candidate, opponent=terms.opponent,
        wins=means.wins, losses=means.losses, exposure=exposure,
    )  # fmt: skip
