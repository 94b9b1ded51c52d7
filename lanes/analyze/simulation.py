"""Simulated votes of which everything is known: strengths, ties, how alike a voter's votes are, what the place adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from checkpoints.records import Choice
from lanes.analyze.vote_table import Indices

WORDS = np.array([Choice.A.value, Choice.TIE.value, Choice.B.value])
"""By outcome."""


@dataclass(frozen=True, slots=True)
class World:
    """What the votes are drawn from.

    Raises:
        ValueError: a field out of its range, with the field, its value and what is allowed.
    """

    models: Mapping[str, float]
    """Bradley–Terry strength π by model, above 0: 2 beats 1 twice as often as not."""

    votes: int
    voters: int
    prompts: int
    correlation: float = 0.0
    """Of two decisive votes by one voter on the same two models, 0 to 1."""

    ties: float = 0.0
    """Share of votes that are "about equal", 0 to 1."""

    first: float = 0.5
    """Share of even matches that the answer shown first wins, between 0 and 1."""

    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.models) < 2:
            raise ValueError(f"models has {len(self.models)}: votes need at least 2")
        for name, strength in self.models.items():
            if not 0 < strength < np.inf:
                raise ValueError(f"the strength of {name} is {strength}: it must be above 0")
        for what in ("votes", "voters", "prompts"):
            if getattr(self, what) < 1:
                raise ValueError(f"{what} is {getattr(self, what)}: it must be at least 1")
        for what in ("correlation", "ties"):
            if not 0 <= getattr(self, what) <= 1:
                raise ValueError(f"{what} is {getattr(self, what)}: it must lie from 0 to 1")
        if not 0 < self.first < 1:
            raise ValueError(f"first is {self.first}: it must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class Columns:
    """Votes as columns of text, as a file has them."""

    model_a: list[str]
    """Shown first."""

    model_b: list[str]
    choice: list[str]
    voter: list[str]
    prompt: list[str]


def simulated(world: World) -> Columns:
    """Draw votes: each voter casts the same number, up to one, in random order of models, places and prompts.

    Where votes within a voter are correlated by ρ, each is, with probability √ρ, the voter's settled opinion on the two
    models, and else a new one; two votes are then correlated by √ρ · √ρ.
    """
    rng = np.random.default_rng(world.seed)
    names, strengths = list(world.models), np.array(list(world.models.values()))
    first = rng.integers(len(names), size=world.votes)
    second = (first + rng.integers(1, len(names), size=world.votes)) % len(names)
    voter = np.arange(world.votes) % world.voters
    low, high = np.minimum(first, second), np.maximum(first, second)
    advantage = world.first / (1 - world.first)
    odds = strengths[first] / strengths[second] * advantage
    chance = odds / (1 + odds)
    settled = _uniform(rng, (voter * len(names) + low) * len(names) + high)
    mind = np.where(rng.random(world.votes) < np.sqrt(world.correlation), settled, rng.random(world.votes))
    # The lower-numbered model wins below its own chance, wherever it is shown, so that a settled mind stays with it.
    won = np.where(first == low, mind < chance, mind >= 1 - chance)
    outcome = np.where(rng.random(world.votes) < world.ties, 1, np.where(won, 0, 2))
    return Columns(
        model_a=[names[at] for at in first.tolist()],
        model_b=[names[at] for at in second.tolist()],
        choice=WORDS[outcome].tolist(),
        voter=[f"sim-{number:06d}" for number in voter.tolist()],
        prompt=[f"prompt-{number}" for number in rng.integers(world.prompts, size=world.votes).tolist()],
    )


def _uniform(rng: np.random.Generator, key: Indices) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A number between 0 and 1 for each vote, the same where the key is."""
    keys, place = np.unique(key, return_inverse=True)
    return rng.random(len(keys))[place]
