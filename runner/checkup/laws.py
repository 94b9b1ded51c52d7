"""The laws of a store that hold for any run at any moment, under way or ended, whatever was killed on the way."""

from __future__ import annotations

from checkpoints.reader import Reader
from runner.checkup.champions import breaches_of_champions
from runner.checkup.experiments import breaches_of_experiments
from runner.checkup.facts import facts_of
from runner.checkup.lanes import breaches_of_lanes
from runner.checkup.law import Breach
from runner.checkup.votes import breaches_of_votes


def broken(read: Reader) -> list[Breach]:
    """What is wrong with a run now, as it was at one moment; empty when all is well.

    Args:
        read: Nobody else may use it meanwhile.
    """
    with read.at_one_moment():
        facts = facts_of(read)
        return [
            *breaches_of_experiments(read, facts),
            *breaches_of_lanes(read, facts),
            *breaches_of_votes(read),
            *breaches_of_champions(read, facts),
        ]
