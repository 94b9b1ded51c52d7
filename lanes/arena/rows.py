"""Battles and ballots as rows of the ledger, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from checkpoints.records import Choice
from lanes.arena.ballots import Ballot, Pair, Source

PAIR = (
    "id, experiment, test, prompt, messages, model_a, model_b, answer_a, answer_b, source, consent, simulated,"
    " made_at, closed"
)
"""Columns of a battle, in the order in which ``pair`` takes them."""

BALLOT = (
    "key, battle, source, prompt, model_a, model_b, experiment, test, voter, choice, comment, seconds, consent,"
    " simulated, at"
)
"""Columns of a ballot that is handed in; ``ballot`` takes them with ``seq`` at the end."""

NEXT_PAIR = f"""
SELECT {PAIR} FROM battles AS pair
WHERE source = 'heldout' AND NOT closed
  AND NOT EXISTS (SELECT 1 FROM ballots WHERE voter = :voter AND battle = pair.id)
  AND (SELECT count(*) FROM ballots WHERE battle = pair.id AND source = 'heldout'
      AND voter NOT IN (SELECT value FROM json_each(:excluded)))
    + (SELECT count(*) FROM json_each(:held) WHERE value = pair.id) < :most
ORDER BY
  (SELECT count(*) FROM ballots AS own WHERE own.voter = :voter AND own.source = 'heldout'
     AND own.experiment = pair.experiment AND own.test = pair.test),
  (SELECT count(*) FROM ballots WHERE battle = pair.id AND source = 'heldout'
     AND voter NOT IN (SELECT value FROM json_each(:excluded))),
  made_at, id
LIMIT 1
"""
"""The open pair that a voter is to see, where each has room for so many votes that count."""


def pair_row(pair: Pair) -> tuple[Any, ...]:
    """Values of ``PAIR``."""
    return (
        pair.id, pair.experiment, pair.test, pair.prompt, json.dumps(pair.messages), pair.model_a, pair.model_b,
        pair.answer_a, pair.answer_b, pair.source, pair.consent, pair.simulated, pair.made_at, pair.closed,
    )  # fmt: skip


def pair(row: Sequence[Any]) -> Pair:
    """A battle from its row."""
    return Pair(
        id=row[0], experiment=row[1], test=row[2], prompt=row[3], messages=tuple(json.loads(row[4])), model_a=row[5],
        model_b=row[6], answer_a=row[7], answer_b=row[8], source=Source(row[9]), consent=bool(row[10]),
        simulated=bool(row[11]), made_at=row[12], closed=bool(row[13]),
    )  # fmt: skip


def ballot_row(ballot: Ballot) -> tuple[Any, ...]:
    """Values of ``BALLOT``."""
    return (
        ballot.key, ballot.battle, ballot.source, ballot.prompt, ballot.model_a, ballot.model_b, ballot.experiment,
        ballot.test, ballot.voter, ballot.choice, ballot.comment, ballot.seconds, ballot.consent, ballot.simulated,
        ballot.at,
    )  # fmt: skip


def ballot(row: Sequence[Any]) -> Ballot:
    """A ballot from its row."""
    return Ballot(
        key=row[0], battle=row[1], source=Source(row[2]), prompt=row[3], model_a=row[4], model_b=row[5],
        experiment=row[6], test=row[7], voter=row[8], choice=Choice(row[9]), comment=row[10], seconds=row[11],
        consent=bool(row[12]), simulated=bool(row[13]), at=row[14], seq=row[15],
    )  # fmt: skip
