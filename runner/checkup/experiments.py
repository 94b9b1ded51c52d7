"""Laws of experiments: numbered without a gap, one end at most, and one verdict with an end that needs one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from checkpoints.reader import Reader
from checkpoints.records import ENDS, State
from runner.checkup.facts import Facts
from runner.checkup.law import Breach, Law


def breaches_of_experiments(read: Reader, facts: Facts) -> Iterator[Breach]:
    """What is wrong with experiments and their verdicts."""
    if list(facts.experiments) != list(range(len(facts.experiments))):
        yield Breach(Law.LOST, "numbers are missing or twice")
    judged = Counter(verdict.experiment for verdict in facts.verdicts)
    fell = _fell(read, facts)
    for one in facts.experiments.values():
        verdicts = 1 if one.state in ENDS - {State.CANCELLED} else 0
        if judged[one.number] != verdicts:
            law = Law.JUDGED if judged[one.number] > verdicts else Law.LOST
            yield Breach(law, f"experiment {one.number} is {one.state} and has {judged[one.number]} verdicts")
        if fell[one.number] != verdicts:
            yield Breach(Law.JUDGED, f"{fell[one.number]} verdicts fell on experiment {one.number}: {one.state}")
        if (one.ended_at is not None) != (one.state in ENDS):
            yield Breach(Law.HANGS, f"experiment {one.number} is {one.state}, and its end says otherwise")


def _fell(read: Reader, facts: Facts) -> Counter[int]:
    """How often the log says that a verdict fell, by experiment; what a person decides has other words."""
    reasons = {verdict.experiment: verdict.reason for verdict in facts.verdicts}
    return Counter(
        event.experiment
        for event in read.events()
        if event.kind == "verdict"
        and event.experiment is not None
        and event.text.removeprefix("crashed: ") == reasons.get(event.experiment)
    )
