"""How many votes on one pair of answers count: a verdict takes votes for independent, and two on one pair are not."""

from __future__ import annotations

from collections import Counter

from checkpoints.reader import Reader
from checkpoints.records import REFUSED, Experiment, Json, Lane, State, Vote

FULL = "this pair has as many votes as count before the verdict (evaluate.votes_per_prompt)"
"""Why a vote does not count."""


def votes_per_prompt(order: Json) -> int:
    """Votes on one pair that count, as the order of an evaluation says; one where it does not say."""
    return int(order.get("votes_per_prompt", 1))


def most_votes(read: Reader, experiment: Experiment) -> int | None:
    """Votes on one pair that count now; None for any number, as after the verdict they tell of the ranking only."""
    if experiment.state not in (State.EVALUATING, State.EVALUATED):
        return None
    passages = [stage for stage in read.stages(experiment.number) if stage.lane is Lane.EVALUATE]
    return votes_per_prompt(passages[-1].order)


def most_in_question(read: Reader, experiment: int, test: int) -> int | None:
    """The same for a verdict's question or, where ``test`` is its number, a promotion test's."""
    if not test:
        return most_votes(read, read.experiment(experiment))
    going = read.open_test()
    return votes_per_prompt(going.order) if going and going.number == test else None


def limit_for(read: Reader, vote: Vote) -> tuple[int | None, str]:
    """Votes on a vote's pair that count now, and what is to be said where it is not counted as one of them."""
    pair = {vote.model_a, vote.model_b}
    before = [one for one in read.votes(vote.experiment, vote.voter) if one.prompt == vote.prompt]
    most = most_votes(read, read.experiment(vote.experiment))
    again = most is None or any({one.model_a, one.model_b} == pair for one in before)
    return most, "had been counted before" if again else f"{REFUSED}{FULL}"


def full(read: Reader, experiment: Experiment, model: str, rival: str) -> set[str]:
    """Prompts on which no further vote between two models counts now."""
    most = most_votes(read, experiment)
    if most is None:
        return set()
    _, voted = read.voters_on_pairs(experiment.number, 0, 0)
    votes = Counter(prompt for prompt, model_a, model_b, _ in voted if {model_a, model_b} == {model, rival})
    return {prompt for prompt, count in votes.items() if count >= most}
