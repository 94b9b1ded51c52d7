"""What users are given of each model: counted for the guards, and for the most that a candidate may be shown."""

from __future__ import annotations

from collections.abc import Mapping

from lanes.arena.allocation import Meeting
from lanes.arena.ballots import Exposure
from lanes.arena.duel import Said
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Lineup
from lanes.arena.refusals import is_refusal


class Shown:
    """Answers of each candidate that users have been given or are about to be."""

    def __init__(self, ledger: Ledger) -> None:
        """Count nothing yet.

        Args:
            ledger: What was counted before this process.
        """
        self._ledger = ledger
        self._counts: dict[str, int] = {}

    def of(self, lineup: Lineup) -> Mapping[str, int]:
        """How many by candidate, for those of the lineup at least."""
        for arm in lineup.arms:
            if arm.candidate not in self._counts:
                known = {each.model: each.shown for each in self._ledger.exposures(arm.experiment)}
                self._counts[arm.candidate] = known.get(arm.candidate, 0)
        return self._counts

    def add(self, candidate: str, answers: int) -> None:
        """Count one that is asked for, or with -1 take back one that nobody was given."""
        self._counts[candidate] = self._counts.get(candidate, 0) + answers


def exposures(meeting: Meeting, candidate: Said, rival: Said) -> list[Exposure]:
    """What a battle adds to the counts, failures among it.

    Where both fail, or the candidate is not loaded, the fault is taken to be the server's or the prompt's, and nothing
    is counted. A rival's answer that stood alone is not counted either, so that its mean is over prompts that the
    candidate has answered, too.
    """
    number, rival_name = meeting.arm.experiment, meeting.rival
    if candidate.absent or (candidate.failure and rival.failure):
        return []
    if candidate.failure:
        return [Exposure(number, meeting.arm.candidate, errors=1)]
    other = Exposure(number, rival_name, errors=1) if rival.failure else _given(number, rival_name, rival)
    return [_given(number, meeting.arm.candidate, candidate), other]


def _given(experiment: int, model: str, said: Said) -> Exposure:
    return Exposure(experiment, model, 1, 0, int(is_refusal(said.text)), len(said.text), said.seconds)
