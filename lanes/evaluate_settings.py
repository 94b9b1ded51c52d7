"""What the program says of evaluation, as the evaluate lane takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from lanes.analyze.verdict import Rule
from lanes.arena.guards import GuardBounds
from lanes.measure import Metric
from lanes.order import ServeOrder, Source
from lanes.pull import Pull

Voters: TypeAlias = Literal["arena", "simulated", "file", "pull"]
"""Who votes: people and products at the arena, simulated ones, people by a file, or a product that is asked for its
votes."""


@dataclass(frozen=True, slots=True)
class ArenaSettings:
    """Where people and products vote, and what a candidate may show them."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""

    url: str | None = None
    """Where voters and products reach it, where that is not host and port."""

    traffic_share: float = 1.0
    """Share of a product's requests that may meet a candidate, above 0 to 1."""

    max_exposure: int | None = None
    """Most answers of one candidate that a product shows."""

    attention_every: int | None = None
    """One pair in so many tests the voter."""

    min_seconds: float = 0.0
    """A person's vote that came sooner is not taken."""


@dataclass(frozen=True, slots=True)
class EvaluateSettings:
    """What the program says of evaluation."""

    model: str
    """Base model, which is the reference: a local folder or a hub id."""

    prompts: Source | None
    """Held-out traffic."""

    revision: str | None = None
    trust_remote_code: bool = False
    metric: Metric | None = None
    """What judges, where that is a number; None where votes do."""

    voters: Voters = "arena"
    pull: Pull | None = None
    """Where votes are fetched from, by who votes elsewhere."""

    arena: ArenaSettings = field(default_factory=ArenaSettings)
    guards: GuardBounds = field(default_factory=GuardBounds)
    """Past which a candidate is taken out at once."""

    rule: Rule = field(default_factory=Rule)
    """When the votes are enough."""

    slots: int = 1
    """Candidates that are judged side by side: the evidence for a keep must be so many times as strong."""

    reference_share: float = 0.25
    """Share of the votes that compares with the reference instead of the opponent, 0 to below 1."""

    votes_per_prompt: int = 1
    """Votes on one pair of answers that count: the verdict takes them for independent, and two on one pair are not."""

    votes_per_voter: int = 5
    """Votes after which a voter's session closes and their mean counts as one voter."""

    session_seconds: float = 600.0
    """Or so long after their last vote."""

    seconds: float = 3600.0
    """Most time to wait for votes, since this runner has begun the evaluation or taken it up."""

    seed: int = 0
    max_broken_rows: int = 0
    """Prompts that cannot be read and may be skipped."""

    device: str = "auto"
    threads: int = 1
    port: int = 0
    """Of the model server on loopback; 0 takes a free one."""


def serve_order(settings: EvaluateSettings) -> ServeOrder:
    """What the model server is told."""
    return ServeOrder(
        model=settings.model,
        revision=settings.revision,
        trust_remote_code=settings.trust_remote_code,
        port=settings.port,
        token_file=Path("token"),
        device=settings.device,
        threads=settings.threads,
        batch_size=64,
    )
