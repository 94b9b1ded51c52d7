"""The ledger's log under steady votes: moved into the tables beside the writer, and never without a bound."""

import asyncio
import time
from pathlib import Path

import pytest

from checkpoints.records import Choice
from lanes.arena import checkpointing
from lanes.arena.ballots import Ballot, Source
from lanes.arena.ledger import Ledger
from lanes.arena.schema import LEDGER
from lanes.arena.writer import Writer


def ballot(number: int) -> Ballot:
    return Ballot(
        f"key/{number * 7919 % 10_007}", None, Source.REPORT, "p", "exp-0001", "exp-0000", 1, 0, f"voter-{number}",
        Choice.A, "x" * 500, None, False, False, time.time(),
    )  # fmt: skip


async def test_a_log_that_is_never_left_alone_is_begun_anew_and_no_vote_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(checkpointing, "LONG", 50_000)
    monkeypatch.setattr(checkpointing, "TOO_LONG", 400_000)
    with Ledger(tmp_path):
        pass
    log, longest = tmp_path / f"{LEDGER}-wal", 0
    writer = Writer(tmp_path)
    for number in range(400):
        await writer.do(lambda ledger, number=number: ledger.add_ballots([ballot(number)]))
        longest = max(longest, log.stat().st_size)
    await asyncio.to_thread(writer.close)
    with Ledger(tmp_path) as ledger:
        assert ledger.last() == 400
    assert 400_000 <= longest < 1_500_000, "each of these votes alone writes some pages of 4,096 bytes"
