"""When a judge may vote: after a calibration that it passed, until people's fresh labels say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.reader import Reader
from checkpoints.records import Choice, Interval
from checkpoints.trust import Calibration
from lanes.analyze.win_rate import wilson
from lanes.judge.calibration import AGREEMENT, LABELS
from lanes.judge.labels import Place, majorities, place_of, said_of
from lanes.judge.records import voter_of

NEWEST = 100
"""Fresh labels that a re-check looks at, the newest ones: an old agreement must not hide that the judge drifts now."""


class NotAllowed(Exception):
    """The judge may not vote; the text is one line that says why and what to do."""


class Drifted(NotAllowed):
    """People's fresh labels disagree with it: it votes no more. The text is ready for the run's log."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """A judge's votes against what people have said of the same pairs since it was calibrated."""

    labels: int
    agreed: int
    judged: int
    """Votes of the judge since then."""

    @property
    def agreement(self) -> Interval | None:
        """Share of the fresh labels that it met, Wilson 95 %."""
        return wilson(self.agreed, self.labels - self.agreed)

    @property
    def drifted(self) -> bool:
        """Whether it is to stop: below the agreement that it needs, on as many labels as a calibration has.

        With fewer labels only where even the upper end of the interval is below.
        """
        rate = self.agreement
        if rate is None:
            return False
        return (rate.estimate if self.labels >= LABELS else rate.high) < AGREEMENT

    @property
    def reason(self) -> str:
        """One sentence: the evidence, how sure that is, and the conclusion."""
        rate = self.agreement
        if rate is None:
            return f"no fresh labels of people on the {self.judged} pairs that it judged; it goes on"
        facts = f"it met {self.agreed} of {self.labels} fresh labels, {100 * rate.estimate:.1f} % "
        facts += f"[{100 * rate.low:.1f}, {100 * rate.high:.1f}], of the {100 * AGREEMENT:.0f} % that it needs"
        if not self.drifted:
            few = "" if self.labels >= LABELS else f" ({LABELS} labels would settle it)"
            return f"{facts}; it goes on voting{few}"
        sure = "surely below" if rate.high < AGREEMENT else "below, though that may be chance"
        return f"{facts}: {sure}; it stops voting until `autoresearch-tui judge calibrate` passes it again"


def allow(calibrations: Sequence[Calibration], model: str) -> Calibration:
    """The calibration by which a judge may vote.

    Args:
        calibrations: All of the run, in order.
        model: Model string that the program names.

    Raises:
        NotAllowed: It has none, or did not pass the last one.
    """
    own = [one for one in calibrations if one.judge == model]
    if own and own[-1].passed:
        return own[-1]
    again = "run `autoresearch-tui judge calibrate`"
    if own:
        raise NotAllowed(f"the judge {model} may not vote: {own[-1].reason}; {again} once that is mended")
    other = f"; what was calibrated is {calibrations[-1].judge}" if calibrations else ""
    raise NotAllowed(f"the judge {model} may not vote: it was never calibrated{other}; {again}")


def recheck(read: Reader, model: str, since: float) -> Recheck:
    """Hold a judge's votes against people's fresh votes on the same pairs.

    Args:
        read: The run.
        model: Model string of the judge.
        since: UTC seconds of its calibration; only younger votes of people are fresh.
    """
    own = read.votes(voter=voter_of(model))
    judged = {place_of(vote): said_of(vote) for vote in own}
    experiments = sorted({place.experiment for place in judged})
    excluded = {one.voter for one in read.exclusions()}
    people = [vote for number in experiments for vote in read.votes(number) if place_of(vote) in judged]
    fresh = majorities(sorted(people, key=lambda vote: -vote.at), excluded, since)
    newest: list[tuple[Place, Choice]] = list(fresh.items())[:NEWEST]
    agreed = sum(judged[place] is choice for place, choice in newest)
    return Recheck(len(newest), agreed, sum(vote.at > since for vote in own))
