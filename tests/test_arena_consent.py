"""Consent to training data is given with the battle, and the service's own document says what a vote can do to it."""

from __future__ import annotations

from pathlib import Path

from arena_served import fill, pair
from test_arena_blindness import opened

from lanes.arena import on_policy
from lanes.order import HeldOut


async def test_a_vote_cannot_give_the_consent_that_its_battle_lacks_and_the_document_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path / "arena") as booth:
        fill(tmp_path / "arena", [pair(8)])
        body = {"battle": pair(8).id, "choice": "a", "voter": "ben", "key": "ben", "consent": True}
        assert (await booth.product.post("/v1/votes", json=body)).json()["counted"]
        assert not list(on_policy.rows(tmp_path, on_policy.last_ballot(tmp_path), (), HeldOut()))
        schemas = (await booth.product.get("/v1/openapi.json")).json()["components"]["schemas"]
    for name in ("BattleVote", "ReportedVote"):
        said = schemas[name]["properties"]["consent"]["description"]
        assert "takes back" in said and "cannot give what the battle did not allow" in " ".join(said.split())
