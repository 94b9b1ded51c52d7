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
    left_out = {exclusion.voter for exclusion in read.exclusions()}
    count = sum(1 for vote in votes if vote.voter not in left_out and not vote.voter.startswith(JUDGE))
    counted = sum(counts for *_, counts in read.pair_counts())
    if counted != count:
        yield Breach(Law.VOTES if counted > count else Law.LOST, f"{counted} votes counted of {count}")
