"""Laws of votes: one voter's vote on one pair once, and as many counted as there are that count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from checkpoints.reader import Reader
from checkpoints.records import JUDGE
from runner.checkup.law import Breach, Law


def breaches_of_votes(read: Reader) -> Iterator[Breach]:
    """What is wrong with votes and their counts."""
    votes = read.votes()
    cast = Counter((v.experiment, v.test, v.voter, v.prompt, *sorted((v.model_a, v.model_b))) for v in votes)
    for (experiment, _, voter, prompt, *_), times in cast.items():
        if times > 1:
            yield Breach(Law.VOTES, f"{voter} has {times} votes on {prompt} in experiment {experiment}")
    counted, count = read.tallies(), counts(read)
    for question in sorted(counted.keys() | count.keys()):
        told, there = counted.get(question, 0), count[question]
        if told != there:
            experiment, _, model_a, model_b, choice = question
            what = f"{told} votes counted of {there} for {choice!r} on {model_a} and {model_b}"
            yield Breach(Law.VOTES if told > there else Law.LOST, f"{what} in experiment {experiment}")


def counts(read: Reader) -> Counter[tuple[int, int, str, str, str]]:
    """Votes that count, by what ``tallies`` keeps them under."""
    left_out = {exclusion.voter for exclusion in read.exclusions()}
    return Counter(
        (vote.experiment, vote.test, vote.model_a, vote.model_b, str(vote.choice))
        for vote in read.votes()
        if vote.voter not in left_out and not vote.voter.startswith(JUDGE)
    )


def are_miscounted(read: Reader) -> bool:
    """Whether the counts that are kept are others than those of the votes."""
    return read.tallies() != counts(read)
