"""The port that people's links name is not given up: a free one would leave who was invited before nothing."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from arena_served import serving, start
from test_evaluate import settings

from checkpoints.store import Store
from lanes import venue
from lanes.arena.ledger import Ledger
from lanes.arena_desk import ARENA
from lanes.evaluate_settings import ArenaSettings
from lanes.published import Published
from lanes.venue import Venue


def invite(folder: Path) -> None:
    with Ledger(folder) as ledger:
        ledger.invite(["ann"])


def test_a_service_whose_port_is_taken_says_so_in_a_line_where_links_name_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        invite(tmp_path)
        with pytest.raises(AssertionError, match=rf"Port {port} cannot be had .* links of those .*: end what listens"):
            start(tmp_path, port=port)
    with serving(tmp_path, port=port) as arena:
        assert arena.port == port


async def test_a_run_goes_on_without_its_page_until_the_port_of_the_links_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue, "PORT_SECONDS", 0.2)
    said: list[str] = []
    with Store(tmp_path / "run") as store, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = settings(voters="arena", arena=ArenaSettings(port=port))
        work = tmp_path / "work"
        place = Venue(
            store, work, lambda: program, Published(store, work, lambda line, _: said.append(line)), said.append
        )
        invite(store.folder / ARENA)
        try:
            await place.ready()
            assert not place.arena.place and f"Port {port} cannot be had" in said[0]
            taken.close()
            place.attend()
            async with asyncio.timeout(20):
                while place.arena.place != f"127.0.0.1:{port}":
                    await asyncio.sleep(0.1)
            assert len(set(said)) == 1, "one line a person reads, however often it is tried"
        finally:
            await place.close(keep_workers=False)
