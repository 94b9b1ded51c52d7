"""What an invited person cannot do: work out who is compared, vote on what they never saw, claim a look not had."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from arena_served import LINEUP, fill, pair
from test_evaluate import publish, settings

from checkpoints import writes
from checkpoints.records import VoterMeans
from checkpoints.store import Store
from lanes.analyze.verdict import Rule
from lanes.arena import app
from lanes.arena.ballots import Ballot, Exposure, Source
from lanes.arena.entry import Entry
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Lineup
from lanes.arena.schema import LEDGER
from lanes.arena.service import LOOK_SECONDS, Service
from lanes.arena.showing import Showing
from lanes.open_questions import OpenQuestion, lineup_of
from lanes.published import Published
from lanes.terms import Terms
from lanes.votes import Battle

ASKED = ({"role": "user", "content": "How is bread made?"},)
BATTLE = Battle(1, "p1", ASKED, "exp-0001", "exp-0000", "so", "thus", 1, frozenset())


class Booth:
    """The service in this process, with one person at its page and a clock that is set by hand."""

    def __init__(self, service: Service, person: httpx.AsyncClient, product: httpx.AsyncClient) -> None:
        self.service, self.person, self.product, self.now = service, person, product, 0.0
        service.showing = Showing(lambda: self.now)

    async def next(self) -> dict[str, Any]:
        return (await self.person.get("/v1/page/next")).json()

    async def vote(self, battle: str, **fields: object) -> tuple[int, str]:
        """Status, and the code of what is wrong."""
        vote = {"battle": battle, "choice": "a", "key": f"key-{battle}"} | fields
        found = await self.person.post("/v1/votes", json=vote)
        return found.status_code, found.json().get("error", {}).get("code", "")

    @property
    def ballots(self) -> list[Ballot]:
        return self.service.ledger.ballots(0, 100)


@asynccontextmanager
async def opened(folder: Path, lineup: Lineup = LINEUP) -> AsyncGenerator[Booth]:
    fill(folder, [pair(number, Source.HELDOUT) for number in range(4)], lineup)
    service = Service(folder)
    built = app.build(service, Entry(folder, [], service.ledger.voter_of))
    with Ledger(folder) as ledger:
        tokens = [ledger.invite(["anna"])["anna"], (folder / "product.token").read_text()]
    clients = [
        httpx.AsyncClient(
            transport=httpx.ASGITransport(built), base_url="http://127.0.0.1",
            headers={"authorization": f"Bearer {token}"},
        )
        for token in tokens
    ]  # fmt: skip
    yield Booth(service, *clients)
    for client in clients:
        await client.aclose()
    service.close()


@pytest.mark.parametrize(("said", "code"), [({}, "too_fast"), ({"seconds": 60.0}, "too_fast")])
async def test_nobody_has_looked_longer_than_since_they_were_first_shown_the_pair(
    tmp_path: Path, said: dict[str, float], code: str
) -> None:
    async with opened(tmp_path, LINEUP.model_copy(update={"min_seconds": 5.0})) as booth:
        battle = (await booth.next())["pair"]["battle"]
        booth.now = 3.0
        assert (await booth.next())["pair"]["battle"] == battle
        assert await booth.vote(battle, **said) == (422, code)
        booth.now = 7.0
        assert await booth.vote(battle, seconds=60.0) == (200, "")
        assert [ballot.seconds for ballot in booth.ballots] == [7.0]


async def test_what_the_page_measured_counts_where_it_is_less_and_what_it_does_not_say_is_measured(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as booth:
        for said in ({"seconds": 0.1}, {}):
            battle = (await booth.next())["pair"]["battle"]
            booth.now += 4.0
            assert (await booth.vote(battle, **said))[0] == 200
        assert [ballot.seconds for ballot in booth.ballots] == [0.1, 4.0]


async def test_a_closed_pair_takes_the_vote_of_who_looks_at_it_and_nobody_elses(tmp_path: Path) -> None:
    async with opened(tmp_path) as booth:
        battle = (await booth.next())["pair"]["battle"]
        with Ledger(tmp_path) as ledger:
            ledger.close(1)
        other = next(name for name in (f"heldout-{n}" for n in range(4)) if name != battle)
        assert await booth.vote(other) == (404, "unknown_battle")
        assert await booth.vote(battle) == (200, "")
        booth.service.showing = Showing()
        assert await booth.vote(battle) == (200, ""), "the same again, after a restart"
        assert len(booth.ballots) == 1


def test_nobody_works_out_the_models_from_what_they_see_without_the_secret_that_restarts_keep(tmp_path: Path) -> None:
    secrets: list[bytes] = []
    for name in ("one", "one", "other"):
        with Ledger(tmp_path / name) as ledger:
            secrets.append(ledger.secret)
    assert secrets[0] == secrets[1] != secrets[2] and len(secrets[0]) == 32
    mine, others = BATTLE.blind_id(secrets[0]), BATTLE.blind_id(secrets[2])
    assert mine != others and not {mine[:16], others[:16]} & {hashlib.sha256(BATTLE.key("").encode()).hexdigest()[:16]}
    pairs = [pair(number) for number in range(100)]
    orders = [[each.as_shown_to("anna", secret) == each for each in pairs] for secret in (secrets[0], secrets[2])]
    assert orders[0] != orders[1]


def test_a_ledger_of_before_is_brought_up_and_its_telling_pairs_are_shown_no_more(tmp_path: Path) -> None:
    fill(tmp_path, [pair(1, Source.HELDOUT), pair(2)])
    with Ledger(tmp_path) as ledger:
        ledger.add_exposure(Exposure(1, "exp-0001", answers=3))
    with closing(sqlite3.connect(tmp_path / LEDGER)) as old:
        for statement in ("DROP TABLE secret", "ALTER TABLE exposures DROP COLUMN begun", "PRAGMA user_version = 1"):
            old.execute(statement)
    with Ledger(tmp_path) as ledger:
        assert (ledger.open_pairs(), len(ledger.secret)) == (0, 32)
        assert ledger.exposures(1) == [Exposure(1, "exp-0001", answers=3)]
        assert ledger.pair(pair(2).id) == pair(2)


async def test_an_excluded_voter_gives_their_pairs_back_and_is_told_kindly(tmp_path: Path) -> None:
    async with opened(tmp_path, LINEUP.model_copy(update={"votes_per_prompt": 1})) as booth:
        for _ in range(4):
            await booth.vote((await booth.next())["pair"]["battle"])
        assert booth.service.ledger.next_pair("ben") is None
        excluded = LINEUP.model_copy(update={"votes_per_prompt": 1, "excluded": frozenset({"anna"})})
        fill(tmp_path, [], excluded)
        await asyncio.sleep(1.5 * LOOK_SECONDS)
        assert booth.service.ledger.next_pair("ben") and booth.service.ledger.next_pair("anna") is None
        said = await booth.next()
        assert (said["pair"], said["more"], said["excluded"]) == (None, False, True)


async def test_a_products_user_with_the_name_of_somebody_invited_is_a_voter_of_their_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as booth:
        battle = pair(7)
        fill(tmp_path, [battle])
        vote = {"battle": battle.id, "choice": "a"}
        for name in ("anna", "ben"):
            found = await booth.product.post("/v1/votes", json=vote | {"voter": name, "key": name})
            assert found.status_code == 200
        assert [ballot.voter for ballot in booth.ballots] == ["reported anna", "ben"]
        assert (await booth.next())["done"] == 0
        for client in (booth.product, booth.person):
            standing = await client.get("/v1/standing", params={"voter": "anna"})
            assert standing.json()["votes"] == (1 if client is booth.product else 0)


async def test_the_lane_tells_the_arena_who_is_excluded(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        await publish(store, tmp_path / "exp-0000", "")
        published = Published(store, tmp_path / "work", lambda line, number: None)
        terms = Terms(0, "exp-0000", "reference", Rule(), 1, 1, 1.0, 0.0, 7)
        asked = {"verdict": OpenQuestion(terms, {}, [], lambda: VoterMeans(()))}
        await store.do(writes.exclude, "anna", "votes faster than anybody reads")
        told = lineup_of(store.read, published, settings(voters="arena"), asked, {}, None)
        assert told and told.excluded == {"anna"}
