"""The order of a training: from an experiment, its recipe and the program to all that its worker needs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from checkpoints.records import Experiment, FailureKind, Json, Lane, Stage
from checkpoints.store import Store
from lanes.arena import on_policy
from lanes.arena.on_policy import OnPolicy
from lanes.lane import StageFailed
from lanes.measure import Metric
from lanes.order import HeldOut, Source, TrainOrder
from lanes.recipe import Recipe
from lanes.repeats import champion_of
from lanes.sources import DataError

WORK = "work"
"""Folder of the run that holds the workers' folders."""

ARTIFACTS = "artifacts"
"""Folder of the run that holds what was trained, by the model's name."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What the program says of training."""

    model: str
    """Base model: a local folder or a hub id."""

    sources: dict[str, Source]
    revision: str | None = None
    trust_remote_code: bool = False
    heldout: HeldOut = field(default_factory=HeldOut)
    drop_heldout: bool = False
    max_broken_rows: int = 0
    device: str = "auto"
    gpus: int = 1
    """More than one starts a training with ``accelerate launch``."""

    threads: int = 1
    hang_seconds: float = 600.0
    seconds_per_training: float = 1800.0
    checkpoint_steps: int = 50
    eval_rows: int = 200
    standby: bool = True
    """Keep the next worker warm."""

    metric: Metric | None = None
    """What decides, where it is a number: a passage then trains as often as that needs."""


def train_order(store: Store, settings: TrainSettings, experiment: Experiment, folder: Path) -> Json:
    """The order for an experiment's training.

    Args:
        store: Of the run.
        settings: What the program says.
        experiment: With its recipe.
        folder: The worker's.

    Raises:
        ValueError: It has no recipe yet, or none that can be trained.
    """
    votes = _on_policy(store, settings, experiment)
    train = TrainOrder(
        experiment=experiment.number,
        model=settings.model,
        revision=settings.revision,
        trust_remote_code=settings.trust_remote_code,
        recipe=Recipe.model_validate(experiment.recipe),
        sources={
            name: votes.source if votes and on_policy.is_asked_for(source) else source
            for name, source in settings.sources.items()
        },
        heldout=settings.heldout,
        drop_heldout=settings.drop_heldout,
        max_broken_rows=settings.max_broken_rows,
        output=store.folder.absolute() / ARTIFACTS / experiment.model,
        checkpoint_steps=settings.checkpoint_steps,
        eval_rows=settings.eval_rows,
        device=settings.device,
        threads=settings.threads,
        loss_beta=settings.metric and settings.metric.loss_beta,
        score_length=settings.metric and settings.metric.score_length,
    )
    order: Json = {"folder": str(folder), "train": train.model_dump(mode="json")}
    order |= {"on_policy": votes.model_dump(mode="json")} if votes else {}
    if settings.metric:
        order |= {
            "metric": settings.metric.model_dump(mode="json"),
            "champion": champion_of(store, experiment),
        }
    return order


async def write_on_policy(store: Store, settings: TrainSettings, stage: Stage) -> None:
    """Have the rows that the order names in their file."""
    if not (found := stage.order.get("on_policy")):
        return
    votes, folder = OnPolicy.model_validate(found), store.folder
    try:
        count = await asyncio.to_thread(on_policy.write, folder, votes, settings.heldout)
    except DataError as error:
        raise StageFailed(FailureKind.INPUT, str(error)) from error
    if count < on_policy.FEWEST:
        line = f"users' votes give {count} rows of the {on_policy.FEWEST} needed; weigh them 0 until there are more"
        raise StageFailed(FailureKind.INPUT, line)


def half_the_batch(order: Json) -> Json | None:
    """The same training with half the rows in memory at a time and as many a step; None when it is one row already."""
    training: Json = order["recipe"]["training"]
    batch, accumulation = training["per_device_train_batch_size"], training["gradient_accumulation_steps"]
    if batch == 1:
        return None
    half = batch // 2
    halved = {"per_device_train_batch_size": half, "gradient_accumulation_steps": -(-batch * accumulation // half)}
    return order | {"recipe": order["recipe"] | {"training": training | halved}}


def _on_policy(store: Store, settings: TrainSettings, experiment: Experiment) -> OnPolicy | None:
    """Which of users' votes a training sees; None where its recipe gives them no weight.

    Its parent's, unless their weight is what it changes: one change a time, and not a day's more votes with it.
    """
    mix = Recipe.model_validate(experiment.recipe).data.mix
    asked = [name for name, source in settings.sources.items() if on_policy.is_asked_for(source)]
    weighed = [name for name in asked if mix.get(name)]
    if not weighed:
        return None
    file = store.folder.absolute() / WORK / "on_policy" / f"{experiment.model}.jsonl"
    change, parent = experiment.proposal.change, experiment.parent
    before = store.read.done_stage(parent, Lane.TRAIN) if parent is not None else None
    theirs = before.order.get("on_policy") if before else None
    if theirs and not (change and change.field in {f"data.mix.{name}" for name in weighed}):
        return OnPolicy.model_validate(theirs | {"file": str(file)})
    excluded = tuple(one.voter for one in store.read.exclusions())
    return OnPolicy(file=file, ballots=on_policy.last_ballot(store.folder), excluded=excluded)
