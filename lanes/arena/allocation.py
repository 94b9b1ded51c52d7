"""Who meets whom: which open question the next request of a product serves, and in which order the two are shown.

A request goes to the arm where a vote is likely to decide most, by Thompson sampling: each arm draws a win rate from
what its voters have said so far, Beta(1 + wins, 1 + losses), and the largest draw is served. Arms that look futile get
few votes that way. The rule of stopping need not know of it: e-values hold whoever picks the next vote.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from lanes.arena.lineup import Arm, Lineup

FLOOR = 0.1
"""Least share of an arm in the votes, so that one with an unlucky beginning is not forgotten; half an even share where
that is less."""

TESTS_SHARE = 0.5
"""Share that promotion tests take together, where arms of experiments are open beside them."""


class Question(Protocol):
    """What is known of an arm when the next vote is sent."""

    @property
    def test(self) -> int:
        """Number of the promotion test; 0 for a verdict."""
        ...

    @property
    def wins(self) -> float:
        """Voters for the candidate."""
        ...

    @property
    def losses(self) -> float:
        """Voters for its opponent."""
        ...


Open = TypeVar("Open", bound=Question)


@dataclass(frozen=True, slots=True)
class Meeting:
    """The two models that a request is put to."""

    arm: Arm
    model_a: str
    """Shown first."""

    model_b: str

    @property
    def rival(self) -> str:
        """Whom the candidate meets: the opponent of the arm, or the reference."""
        return self.model_b if self.model_a == self.arm.candidate else self.model_a


def next_meeting(lineup: Lineup, shown: Mapping[str, int], chance: random.Random) -> Meeting | None:
    """Who answers the next request; None means that the serving model answers it alone.

    Args:
        lineup: What is open, and the shares.
        shown: Answers that users have been given, by candidate, where it is more than the lineup knew.
        chance: Source of random numbers.
    """
    if lineup.traffic_share < 1 and chance.random() >= lineup.traffic_share:
        return None
    arms = [arm for arm in lineup.arms if _has_room(lineup, arm, shown)]
    if not arms:
        return None
    arm = pick(arms, chance)
    # A promotion test has one question, and no vote of it goes elsewhere.
    ranking = not arm.test and arm.candidate != lineup.reference and chance.random() < lineup.reference_share
    pair = (arm.candidate, lineup.reference if ranking else arm.opponent)
    a, b = pair if chance.random() < 0.5 else pair[::-1]
    return Meeting(arm, a, b)


def pick(arms: Sequence[Open], chance: random.Random) -> Open:
    """The arm that the next vote is for.

    Args:
        arms: Open ones, at least one.
        chance: Source of random numbers.
    """
    tests = [arm for arm in arms if arm.test]
    if not tests or len(tests) == len(arms):
        return _thompson(arms, chance)
    is_test = chance.random() < TESTS_SHARE
    return _thompson(tests if is_test else [arm for arm in arms if not arm.test], chance)


def _has_room(lineup: Lineup, arm: Arm, shown: Mapping[str, int]) -> bool:
    limit = lineup.max_exposure
    # The candidate of a promotion test is the champion by then, whom everybody is shown.
    return limit is None or bool(arm.test) or max(arm.exposure, shown.get(arm.candidate, 0)) < limit


def _thompson(arms: Sequence[Open], chance: random.Random) -> Open:
    if len(arms) == 1:
        return arms[0]
    floor = min(FLOOR, 0.5 / len(arms))
    least = floor * sum(arm.wins + arm.losses for arm in arms)
    behind = [arm for arm in arms if arm.wins + arm.losses < least]
    if behind and chance.random() < floor * len(behind):
        return behind[int(chance.random() * len(behind))]
    return max(arms, key=lambda arm: chance.betavariate(1 + arm.wins, 1 + arm.losses))
