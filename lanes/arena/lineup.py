"""Who may meet whom right now: what the evaluate lane tells the arena's service, through the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from checkpoints.records import REFERENCE, Json

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arm(_Told):
    """One open question: the verdict on an experiment, or a promotion test."""

    experiment: int
    test: Count = 0
    """Number of the promotion test; 0 for a verdict."""

    candidate: str
    opponent: str
    wins: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    losses: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Voters for and against the candidate so far, each counted as one."""

    exposure: Count = 0
    """Answers of the candidate that users have been shown."""


class Lineup(_Told):
    """Everything that decides who is asked for answers; replaced as a whole."""

    arms: tuple[Arm, ...] = ()
    champion: str
    promoted: str | None = None
    reference: str = REFERENCE
    deployments: dict[str, Json] = {}
    """How each model is served (``lanes.recipe.Deployment``), by name."""

    server: Path | None = None
    """Folder of the model server's process; None while there is none."""

    reference_share: Share = 0.0
    """Share of battles that are the candidate against the reference."""

    traffic_share: Share = 1.0
    """Share of requests that become battles; the rest are answered by the serving model alone."""

    max_exposure: Count | None = None
    """Answers of one candidate that users are shown at most."""

    votes_per_voter: Annotated[int, Field(ge=1)] = 20
    votes_per_prompt: Annotated[int, Field(ge=1)] = 1
    min_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """A person's vote that came sooner is not taken."""

    attention_every: Annotated[int, Field(ge=2)] | None = None
    """Every so many pairs one is an attention check; None for none."""

    excluded: frozenset[str] = frozenset()
    """Voters whose votes do not count: they take no room on a pair and are shown none."""

    seed: int = 0

    @property
    def models(self) -> frozenset[str]:
        """Names of all models in it."""
        pairs = (name for arm in self.arms for name in (arm.candidate, arm.opponent))
        serving = (name for name in (self.champion, self.promoted, self.reference) if name)
        return frozenset((*pairs, *serving, *self.deployments))

    def arm_of(self, model_a: str, model_b: str) -> Arm | None:
        """The open question that a vote on two models speaks to: a promotion test's before a verdict's."""
        pair = {model_a, model_b}
        matching = [arm for arm in self.arms if {arm.candidate, arm.opponent} == pair]
        return max(matching, key=lambda arm: arm.test, default=None)
