"""How long an arena serves a run that nobody owns: as long as it is of use, and no longer for a page that is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from arena_served import fill, pair
from test_arena_blindness import Booth, opened

from lanes.arena.wanted import OWNERLESS_SECONDS, Wanted


async def look(booth: Booth) -> None:
    assert (await booth.next())["pair"]


async def knock(booth: Booth) -> None:
    refused = await booth.person.get("/v1/page/next", headers={"authorization": "Bearer nobodys"})
    assert refused.status_code == 401


async def vote_on_nothing(booth: Booth) -> None:
    assert (await booth.vote("nothing"))[0] == 404


async def vote(booth: Booth) -> None:
    fill(booth.service.folder, [pair(8)])
    body = {"battle": pair(8).id, "choice": "a", "voter": "ben", "key": "ben"}
    assert (await booth.product.post("/v1/votes", json=body)).json()["counted"]


@pytest.mark.parametrize(("deed", "over"), [(look, True), (knock, True), (vote_on_nothing, True), (vote, False)])
async def test_only_what_is_of_use_keeps_an_arena_of_a_run_that_nobody_owns(
    tmp_path: Path, deed: Callable[[Booth], Awaitable[None]], over: bool
) -> None:
    now = [0.0]
    async with opened(tmp_path) as booth:
        booth.service.wanted = Wanted(lambda: now[0])
        assert not booth.service.wanted.is_over(ownerless=True)
        now[0] = OWNERLESS_SECONDS
        await deed(booth)
        now[0] += 1
        assert booth.service.wanted.is_over(ownerless=True) is over


def test_who_takes_the_run_over_in_time_finds_the_arena_however_long_nobody_voted() -> None:
    now = [0.0]
    wanted = Wanted(lambda: now[0])
    for at, ownerless in ((1000, False), (1001, True), (1050, True), (1055, False), (1100, True), (1150, True)):
        now[0] = float(at)
        assert not wanted.is_over(ownerless)
    now[0] = 1161.0
    assert wanted.is_over(ownerless=True)
