"""The arena's service as a target: filled for an attack, attacked, and looked at for what must not have come of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import schemathesis
from arena_served import LINEUP, Arena, fill, pair, serving
from attacking import Met, attack, open_files, resident
from hostile_requests import hostile
from hostile_seed import SEED
from hostile_votes import Hostile, Loot, request
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from voting_meanwhile import BATTLES, SECONDS, Honest, until, vote, voting

from lanes.arena.ballots import Source
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Lineup
from lanes.loopback import CONNECTIONS

GROWTH = 24 * 2**20
"""Most bytes by which the service may grow from the first thousand requests to the last."""

DOWN = ("/v1/battles", "/v1/chat/completions")
"""Where 503 is a documented answer while no model is deployed."""


@dataclass
class Target:
    """A service, and what an attacker has of it."""

    arena: Arena
    loot: Loot
    secrets: set[str]
    """Every token that is worth something."""

    lineup: Lineup


@contextmanager
def ready(place: Path, lineup: Lineup = LINEUP) -> Iterator[Target]:
    """A service in a folder, with people, products, battles and votes."""
    folder, other = place / "arena", place / "other"
    people = [replace(pair(n, Source.HELDOUT), experiment=2) for n in range(5)]
    fill(folder, [*(pair(n) for n in range(BATTLES)), *people, pair(0, simulated=True)], lineup)
    with Ledger(folder) as ledger, Ledger(other) as elsewhere:
        gone = [replace(pair(n, Source.HELDOUT), experiment=9, id=f"gone-{n}") for n in range(5)]
        ledger.add_pairs(gone)
        ledger.close(9)
        withdrawn = ledger.invite([f"voter{n}" for n in range(3)])
        voters = ledger.invite([f"voter{n}" for n in range(60)])
        foreign = elsewhere.invite(["voter1", "stranger"])
    with serving(folder, "arena_impatient") as arena:
        token = arena.token()
        spent = [vote(n, f"spent-{n}") for n in range(30)]
        with arena.client() as client:
            assert all(client.post("/v1/votes", json=each).json()["counted"] for each in spent)
        loot = Loot(
            token, voters, [*withdrawn.values(), *foreign.values()], [dict(each) for each in spent],
            [*(each.id for each in people), "product-sim-0"], [each.id for each in gone],
            [f"product-{n}" for n in range(BATTLES // 2)],
        )  # fmt: skip
        yield Target(arena, loot, {token, arena.token("simulated"), *voters.values()}, lineup)


def keys(folder: Path, after: int) -> list[str]:
    with Ledger(folder) as ledger:
        return [ballot.key for ballot in ledger.ballots(after, 10**6)]


def last(folder: Path) -> int:
    with Ledger(folder) as ledger:
        return ledger.last()


def wrong_with(met: Met, target: Target) -> list[str]:
    """What the service must not have done."""
    secrets = target.secrets
    found = ["hangs"] if met.hung else []
    if any(secret.encode() in met.raw for secret in secrets):
        found.append("tells a token")
    for answer in met.answers:
        line = f"{answer.status} {answer.body[:200]!r}"
        absent = target.lineup.server is None and any(path.encode() in met.sent.sent for path in DOWN)
        if answer.status >= 500 and not (answer.status == 503 and absent and b'"no_model"' in answer.body):
            found.append(f"fails: {line}")
        if b'"counted":true' in answer.body:
            found.append(f"counts: {line}")
        if (
            answer.headers.get("x-content-type-options") != "nosniff"
            or "no-store" not in answer.headers["cache-control"]
        ):
            found.append(f"is without the headers of safety: {line}")
        if not answer.headers["content-security-policy"].startswith("default-src 'none'"):
            found.append(f"has no policy: {line}")
        if "set-cookie" in answer.headers or "access-control-allow-origin" in answer.headers:
            found.append(f"lets others in: {answer.headers}")
        if answer.status >= 400 and answer.headers["content-type"] == "application/json" and answer.body:
            found += [] if set(json.loads(answer.body)) == {"error"} else [f"is not one line: {line}"]
    return found


def told(folder: Path, secrets: set[str]) -> list[str]:
    """Files that have a token, but those that are there to have it."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".token"]
    return [str(file) for file in files for secret in secrets if secret.encode() in file.read_bytes()]


def hold_out(target: Target, requests: list[Hostile]) -> tuple[Honest, list[Met]]:
    """Send all of that while somebody votes; only their votes are there afterwards, each once."""
    arena, before = target.arena, last(target.arena.folder)
    files = open_files(arena.process.pid)
    with voting(arena) as honest:
        met = asyncio.run(attack(arena.port, requests))
    wrong = [(each.sent.kind, each.sent.sent[:300], line) for each in met for line in wrong_with(each, target)]
    assert not wrong, f"{len(wrong)} of {len(met)}, such as {wrong[:3]}"
    assert keys(arena.folder, before) == honest.counted
    assert honest.slowest < SECONDS
    until(lambda: open_files(arena.process.pid) <= files + (CONNECTIONS if target.lineup.server else 0))
    assert not told(arena.folder, target.secrets)
    return honest, met


def ten_thousand(target: Target) -> list[Met]:
    """Send as many, a tenth of them made from the service's document; the memory stays flat. What they met with."""
    print(f"HOSTILE_SEED={SEED}")
    fuzzed = from_document(target, 1000)
    requests = [*fuzzed, *hostile(target.loot, 10_000 - len(fuzzed), SEED)]
    random.Random(SEED).shuffle(requests)
    hold_out(target, requests[:1000])
    before = resident(target.arena.process.pid)
    _, met = hold_out(target, requests[1000:])
    grown = resident(target.arena.process.pid) - before
    print(f"grown by {grown / 2**20:.1f} MiB to {(before + grown) / 2**20:.1f} MiB")
    assert len(requests) == 10_000 and grown < GROWTH
    assert "Error in" not in target.arena.log and "Traceback" not in target.arena.log
    return met


def from_document(target: Target, count: int) -> list[Hostile]:
    """Requests that the service's own document says are wrong, or allows and which no battle is behind."""
    document = schemathesis.openapi.from_url(f"{target.arena.url}/v1/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    made = list[Hostile]()
    for operation in operations:
        for mode in schemathesis.GenerationMode:

            @seed(SEED)
            @settings(
                max_examples=20 + count // (2 * len(operations)), deadline=None, database=None,
                suppress_health_check=list(HealthCheck), phases=[Phase.generate],
            )  # fmt: skip
            @given(operation.as_strategy(generation_mode=mode))
            def take(case: schemathesis.Case) -> None:
                said = case.as_transport_kwargs(base_url=target.arena.url)
                said = {name: each for name, each in said.items() if name in ("json", "params", "data", "content")}
                try:
                    with httpx.Client(trust_env=False) as client:
                        ready = client.build_request(case.method, f"{target.arena.url}{case.formatted_path}", **said)
                except (TypeError, ValueError, UnicodeError):
                    return  # what no client can send
                path, kind = ready.url.raw_path.decode("latin-1"), ready.headers.get("content-type", "application/json")
                raw = request(ready.read(), case.method, path, target.loot.product, content_type=kind)
                made.append(Hostile("of the document", raw, case.method.encode()))

            try:
                take()
            except Unsatisfiable:
                continue  # nothing wrong can be said here
    assert len(made) > count / 2
    return made[:count]
