"""Voters as lines of a table: how each votes, who is doubtful, who is excluded."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from lanes.arena.ballots import VoterFigures
from lanes.arena.flags import flags
from lanes.arena_votes import voter_name

_HEAD: tuple[str, ...] = ("voter", "votes", "seconds", "first", "checks", "last vote", "")


def lines_of(figures: Iterable[VoterFigures], invited: Collection[str], excluded: Mapping[str, str]) -> list[str]:
    """The table, with a line that says how many are not in it.

    Args:
        figures: Of everybody who has voted or was invited.
        invited: Names of who was; they are all listed, others where there is something to say.
        excluded: Why, by name in the run's store.
    """
    rows: list[tuple[str, ...]] = [_HEAD]
    unlisted = 0
    for voter in figures:
        said = _said(voter, excluded)
        if said or voter.voter in invited:
            rows.append(_row(voter, said))
        else:
            unlisted += 1
    if len(rows) == 1:
        lines = ["nobody was invited yet: autoresearch-tui arena invite 20"]
    else:
        lines = _aligned(rows)
    if unlisted:
        lines.append(f"not listed: {unlisted:,} voters of products, none of them doubtful")
    return lines


def _row(voter: VoterFigures, said: str) -> tuple[str, ...]:
    checks = voter.attention_passed + voter.attention_failed
    return (
        voter.voter,
        f"{voter.votes:,}",
        "–" if voter.median_seconds is None else f"{voter.median_seconds:.1f}",
        "–" if voter.first_share is None else f"{100 * voter.first_share:.0f} %",
        f"{voter.attention_passed}/{checks}" if checks else "–",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(voter.last_at)) if voter.last_at else "–",
        said,
    )


def _said(voter: VoterFigures, excluded: Mapping[str, str]) -> str:
    reason = excluded.get(voter_name(voter.voter))
    said = [] if reason is None else [f"excluded ({reason})"]
    if found := flags(voter):
        said.append("doubtful: " + "; ".join(flag.found for flag in found))
    return "; ".join(said)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place in (0, 5, 6) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
