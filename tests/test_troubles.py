"""What a server did otherwise than it should is told by whoever looks after it: once each time, and not for ever."""

from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from arena_served import fill, pair
from arena_served import serving as serving_arena
from served import serving
from test_serve import many

from lanes import pulse
from lanes.pulse import Pulse

ROOM_BYTES = 48 << 20
"""More memory than a few answers need, and less than a hundred."""


class Looking:
    """A pulse that is felt at once, and what it complained of."""

    def __init__(self, name: str, port: int, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(pulse, "BEAT_SECONDS", 0.0)
        self.said: list[str] = []
        self._pulse = Pulse(name, lambda: ("127.0.0.1", port), self._end, self.said.append)

    async def looks(self) -> list[str]:
        """What a look makes it say."""
        self.said.clear()
        await self._pulse.feel()
        return self.said

    async def _end(self) -> None:
        raise AssertionError("it answers")


@pytest.mark.slow
async def test_answers_that_memory_lacks_for_are_given_in_smaller_groups_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [("reference", f"{n} {'word and more ' * 35}") for n in range(96)]
    with serving(tmp_path, batch_size=128) as server, server.client() as client:
        looking = Looking("the model server", server.port, monkeypatch)
        with_room = many(client, asked, temperature=0, max_tokens=4)
        assert await looking.looks() == []
        most = psutil.Process(server.process.pid).memory_info().vms + ROOM_BYTES
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (most, most))
        assert many(client, asked, temperature=0, max_tokens=4) == with_room
        [line] = await looking.looks()
        assert line.startswith("the model server: memory lacked for so many answers at once, and fewer were given: ")
        assert await looking.looks() == []


async def test_votes_that_could_not_be_kept_are_told_also_after_they_can_be_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, [pair(0)])
    vote = {"battle": pair(0).id, "choice": "a", "voter": "somebody", "key": "k"}
    with serving_arena(tmp_path, "arena_impatient") as arena, arena.client() as client:
        looking = Looking("the arena", arena.port, monkeypatch)
        assert await looking.looks() == []
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert client.post("/v1/votes", json=vote).status_code == 503
        assert client.post("/v1/votes", json=vote).is_success
        [line] = await looking.looks()
        assert line.startswith("the arena: who voted was asked to try again: votes cannot be kept right now: ")
        assert "keeps" in line and "locked: end it" in line
        assert await looking.looks() == [] and json.loads(client.get("/health").content)["status"] == "ok"
