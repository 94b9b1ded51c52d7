"""Attention checks: now and then a pair whose better answer is plain, to see whether a voter reads.

A check shows a prompt that the voter has voted on before, a model's real answer to it (the champion's, where it was in
that pair), and a real answer to another of their prompts. It is made of pairs that they have voted on already, so no
vote that counts is cast by somebody who knows its prompt from a check; and it is no vote on models.
"""

from __future__ import annotations

import hmac
import random
import time
from collections.abc import Sequence

from lanes.arena.ballots import DECOY, Pair, Source
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Lineup

RECENT = 50
"""Pairs, the voter's last ones, that a check is made of."""


def check_due(ledger: Ledger, lineup: Lineup, voter: str) -> Pair | None:
    """The attention check that a voter is to see next; it need not be in the ledger yet.

    Args:
        ledger: Of the arena.
        lineup: Says how often.
        voter: Who is to see it.

    Returns:
        None where it is not time for one, or nothing to make it of yet.
    """
    shown, every = ledger.shown(voter), lineup.attention_every
    if every is None or shown % every != every - 1:
        return None
    # Known again after a reload, and telling nobody who reads it what it is.
    identity = hmac.digest(ledger.secret, f"attention\0{voter}\0{shown}".encode(), "sha256").hex()[:32]
    return ledger.pair(identity) or _make(identity, lineup, ledger.voted(voter, RECENT))


def _make(identity: str, lineup: Lineup, voted: Sequence[Pair]) -> Pair | None:
    chance = random.Random(f"{lineup.seed}/{identity}")
    for asked in chance.sample(voted, len(voted)):
        model, answer = _answer(asked, lineup)
        others = [text for pair in voted if pair.messages != asked.messages if (text := _answer(pair, lineup)[1])]
        wrong = [text for text in others if text.strip() not in (asked.answer_a.strip(), asked.answer_b.strip())]
        if answer.strip() and wrong:
            return Pair(
                identity, asked.experiment, asked.test, asked.prompt, asked.messages, model, DECOY, answer,
                chance.choice(wrong), Source.ATTENTION, False, False, time.time(),
            )  # fmt: skip
    return None


def _answer(pair: Pair, lineup: Lineup) -> tuple[str, str]:
    """A model of the pair, the champion where it can be, and its answer."""
    if pair.model_b == lineup.champion:
        return pair.model_b, pair.answer_b
    return pair.model_a, pair.answer_a
