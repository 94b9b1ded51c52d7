"""Questions about what makes a verdict believable: promotion tests, promotions, exclusions, judges, insights."""

from __future__ import annotations

from typing import Any

from checkpoints.querying import Querying, interval, parsed
from checkpoints.records import Json, Outcome
from checkpoints.trust import Calibration, Exclusion, Look, Promotion, PromotionTest


class TrustReader(Querying):
    """Answers questions about promotion and trust."""

    def promotion_tests(self) -> list[PromotionTest]:
        """All tests on fresh votes, in order."""
        rows = self._all(
            'SELECT number, experiment, opponent, "order", began_at, ended_at, outcome, wins, losses, ties, voters,'
            " win_rate, anytime, shrunken, reason FROM promotion_tests ORDER BY number"
        )
        return [_test(row) for row in rows]

    def open_test(self) -> PromotionTest | None:
        """The promotion test that goes on; None where none does."""
        return next((test for test in reversed(self.promotion_tests()) if test.ended_at is None), None)

    def looks_of(self, test: int) -> list[Look]:
        """The looks at one promotion test, in order."""
        rows = self._all("SELECT number, test, model, voters, at FROM looks WHERE test = ? ORDER BY number", test)
        return [Look(*row) for row in rows]

    def promotions(self) -> list[Promotion]:
        """Every promotion, in order."""
        rows = self._all("SELECT experiment, since, until, test, hypothesis, lift, reason FROM promotions ORDER BY id")
        return [Promotion(row[0], row[1], row[2], row[3], row[4], interval(row[5]), row[6]) for row in rows]

    def promoted(self) -> Promotion | None:
        """The promotion that stands; None where nothing is promoted."""
        return next((one for one in reversed(self.promotions()) if one.until is None), None)

    def exclusions(self) -> list[Exclusion]:
        """Voters whose votes are not counted, by name."""
        return [Exclusion(*row) for row in self._all("SELECT voter, reason, at FROM exclusions ORDER BY voter")]

    def calibrations(self) -> list[Calibration]:
        """Every calibration of a judge, in order."""
        rows = self._all(
            "SELECT number, judge, labels, agreement, consistency, passed, reason, at FROM calibrations ORDER BY number"
        )
        return [Calibration(n, j, labels, a, c, bool(passed), why, at) for n, j, labels, a, c, passed, why, at in rows]

    def insight(self, name: str) -> Json | None:
        """What analysis last found under a name; None where it found nothing yet."""
        row = self._maybe("SELECT value FROM insights WHERE name = ?", name)
        return row and parsed(row[0])


def _test(row: Any) -> PromotionTest:
    return PromotionTest(
        row[0], row[1], row[2], parsed(row[3]), row[4], row[5], Outcome(row[6]) if row[6] else None, row[7],
        row[8], row[9], row[10], interval(row[11]), interval(row[12]), row[13], row[14],
    )  # fmt: skip
