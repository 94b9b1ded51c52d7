"""What the agent may use: held before each question, with those that are under way."""

from __future__ import annotations

import pytest

from checkpoints.records import Level
from checkpoints.thought import Spent
from runner.agent.asking import Unusable
from runner.agent.caps import Caps, Guess


def test_what_is_under_way_counts_until_it_is_in_the_store() -> None:
    spent = Spent(1, 600, 0.5, 0)
    told: list[tuple[Level, str]] = []
    caps = Caps(lambda: spent, lambda level, line: told.append((level, line)))
    one = Guess(300, 0.3)
    caps.check(1.0, 1000, one)
    caps.begin(one)
    for limits in ((1.0, None), (None, 1000), (1.0, None)):
        with pytest.raises(Unusable, match="the next question would pass it") as raised:
            caps.check(*limits, one)
        assert raised.value.spent
    assert [line for _, line in told] == [
        "the agent has used 0.5 of 1 USD, agent.max_usd: the next question would pass it",
        "the agent has used 600 of 1,000 tokens, agent.max_tokens: the next question would pass it",
    ]
    caps.end(one)
    caps.check(1.0, 1000, one)


def test_a_cap_that_is_reached_again_is_said_once_and_one_that_was_raised_anew() -> None:
    told: list[str] = []
    caps = Caps(lambda: Spent(1, 600, 0.0, 1), lambda _, line: told.append(line))
    for most in (600, 600, 650, 650):
        with pytest.raises(Unusable):
            caps.check(None, most, Guess(100))
    assert [line.partition(" tokens")[0] for line in told] == [
        "the agent has used 600 of 600",
        "the agent has used 600 of 650",
    ]
