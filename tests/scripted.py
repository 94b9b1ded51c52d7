"""How tests start scripted workers, and what they write into their orders."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lanes.launch import LocalProcess
from lanes.order import Source, TrainOrder
from lanes.recipe import Data, Recipe

SCRIPT = Path(__file__).with_name("scripted_worker.py")
RECIPE = Recipe(method="dpo", data=Data(mix={"a": 1.0}))


class Scripted:
    """Starts the scripted worker whatever program is asked for."""

    def command(self, program: str, order: Path) -> list[str]:
        return [sys.executable, str(SCRIPT), str(order)]

    def environment(self) -> dict[str, str]:
        return LocalProcess().environment()


def script(**what: Any) -> str:
    """What goes into an order's ``model``."""
    return json.dumps(what)


def order(folder: Path, checkpoint_steps: int = 2, **what: Any) -> dict[str, Any]:
    """A complete order that plays a script."""
    made = TrainOrder(
        experiment=0,
        model=script(**what),
        recipe=RECIPE,
        sources={"a": Source(path="a.jsonl")},
        output=folder / "out",
        checkpoint_steps=checkpoint_steps,
    )
    return made.model_dump(mode="json")


def lines(path: Path) -> list[int]:
    """Numbers in a file, one a line; none while it is not there."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pid_file(path: Path) -> int:
    """A pid that a worker wrote down."""
    return int(path.read_text())


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something to become true, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true"
        await asyncio.sleep(0.01)


def zombies_of_ours() -> list[int]:
    """Dead children of this process that nobody has reaped."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if not lives(int(pid)) and Path(f"/proc/{pid}").exists():
                found.append(int(pid))
    return found
