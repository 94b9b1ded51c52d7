"""Votes by way of a file or a product: no odd clock keeps a session open, and no name is another's."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from checkpoints.records import Vote
from lanes.pull import Page
from lanes.pull_votes import votes_of_page
from lanes.vote_file import BATTLES, VOTES, FileVoters
from lanes.votes import Battle


def reported(*times: object) -> tuple[list[Vote], dict[str, str]]:
    """What becomes of votes that say these times."""
    row = {"model_a": "exp-0001", "model_b": "exp-0002", "choice": "a", "voter": "ann"}
    rows = tuple((f"row {number}", row | {"key": number, "at": at}) for number, at in enumerate(times, 1))
    return votes_of_page(Page(rows, ""), 3, {})


def test_a_vote_from_a_clock_that_is_ahead_came_now_and_one_from_before_keeps_its_time() -> None:
    votes, faults = reported(time.time() + 86_400, "2200-01-01T00:00:00", 1_700_000_000)
    assert [vote.at <= time.time() for vote in votes] == [True] * 3 and votes[2].at == 1_700_000_000
    assert not faults


def test_a_time_in_milliseconds_is_said_and_is_no_vote() -> None:
    votes, faults = reported(1_700_000_000_000, 1_700_000_000)
    assert [vote.key for vote in votes] == ["pull:2"]
    assert faults == {"at is past the year 2242: give seconds since 1970, no milliseconds": "row 1"}


async def test_nobody_in_the_file_of_votes_is_taken_for_a_judge_or_for_a_person_at_a_dashboard(tmp_path: Path) -> None:
    asked = ({"role": "user", "content": "How do I bake bread?"},)
    battle = Battle(3, "p1", asked, "exp-0003", "exp-0001", "Knead it.", "It depends.", 3, set())
    lines = [
        json.dumps({"battle": battle.id, "voter": name, "choice": "a"}) for name in ("judge:gpt", "person:ana", "ann")
    ]
    (tmp_path / VOTES).write_text("\n".join(lines) + "\n")
    async with asyncio.timeout(5), aclosing(FileVoters(tmp_path, pytest.fail).cast([battle], last=True)) as votes:
        voters = [vote.voter async for vote in votes if vote]
    assert voters == ["reported judge:gpt", "reported person:ana", "ann"]
    assert (tmp_path / BATTLES).exists()
