"""An arena's service in a process of its own, with a lineup and battles to vote on, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from lanes.arena.ledger import Ledger, Pair, Source
from lanes.arena.lineup import Arm, Lineup
from lanes.arena.service import LOOK_SECONDS

ROOT = Path(__file__).resolve().parents[1]
LINEUP = Lineup(
    arms=(Arm(experiment=1, candidate="exp-0001", opponent="exp-0000"),), champion="exp-0000", votes_per_prompt=3
)


@dataclass
class Arena:
    """A service that is ready."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int

    def token(self, name: str = "product") -> str:
        return (self.folder / f"{name}.token").read_text()

    def client(self, token: str | None = None) -> httpx.Client:
        """A client with a token, the product's by default; without one where it is empty."""
        token = self.token() if token is None else token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


@contextmanager
def serving(folder: Path, module: str = "lanes.arena.serve", **order: object) -> Iterator[Arena]:
    """The service on a folder that may hold a ledger already."""
    arena = start(folder, module, **order)
    try:
        yield arena
    finally:
        arena.process.terminate()
        try:
            arena.process.wait(10)
        except subprocess.TimeoutExpired:
            arena.process.kill()
            arena.process.wait()


def start(folder: Path, module: str = "lanes.arena.serve", **order: object) -> Arena:
    """Start it and wait until it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").unlink(missing_ok=True)
    (folder / "order.json").write_text(json.dumps(order))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder / "order.json")], stdout=log, stderr=log, env=environment
        )
    found = wait_for_result(process, folder)
    if found["status"] != "ready":
        process.wait(10)
        raise AssertionError(found)
    return Arena(folder, process, int(str(found["port"])))


def wait_for_result(process: subprocess.Popen[bytes], folder: Path, seconds: float = 30) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (folder / "result.json").exists():
            return json.loads((folder / "result.json").read_text())
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError((folder / "log.txt").read_text())


def pair(place: int, source: Source = Source.PRODUCT, simulated: bool = False) -> Pair:
    """A battle of experiment 1."""
    asked = ({"role": "user", "content": f"question {place}"},)
    return Pair(
        f"{source}-{'sim-' if simulated else ''}{place}", 1, 0, f"prompt-{place}", asked, "exp-0001", "exp-0000",
        f"answer {place} of the candidate", f"answer {place} of the champion", source, False, simulated, 1e9 + place,
    )  # fmt: skip


def change(folder: Path, lineup: Lineup = LINEUP) -> None:
    """Replace the lineup under a service that runs, and wait until it has seen it."""
    fill(folder, [], lineup)
    time.sleep(1.5 * LOOK_SECONDS)


def fill(folder: Path, pairs: Sequence[Pair], lineup: Lineup = LINEUP) -> None:
    """Give a ledger a lineup and battles, as the evaluate lane does."""
    with Ledger(folder) as ledger:
        ledger.set_lineup(lineup)
        ledger.add_pairs(pairs)
