"""A trainer that counts instead of training: the real protocol, checkpoints and artifact, in a fraction of a second.

``python -m chaos.trainer ORDER.json``; what it has "learnt" is the sum of its steps, so that one that was left out or
done on top of another shows in the weights.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from checkpoints.artifacts import last_whole, publish, seal, write_json
from lanes.launch import LocalProcess
from lanes.order import LOCK, METRICS, PAUSE, RESULT, WORKER
from lanes.workers.metrics import Metrics
from lanes.workers.presence import introduce, take_lock

STEPS = 12
STEP_SECONDS = 0.02
CHECKPOINT_STEPS = 3
WEIGHTS = "weights.json"

TAKEN = 3
"""Exit status when another worker has the folder."""


class Counting:
    """Starts this trainer whatever program is asked for."""

    def command(self, program: str, order: Path) -> list[str]:
        return [sys.executable, "-m", "chaos.trainer", str(order)]

    def environment(self) -> dict[str, str]:
        return LocalProcess().environment()


def main(place: Path) -> int:
    """Work in the folder of an order; returns the exit status."""
    folder = place.parent
    lock = take_lock(folder / LOCK)
    if lock is None:
        return TAKEN
    introduce(folder / WORKER, "chaos.trainer")
    train(json.loads(place.read_bytes()), folder)
    return 0


def train(order: dict[str, Any], folder: Path) -> None:
    """Go on from the last whole checkpoint to the result."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    metrics = Metrics(folder / METRICS)
    done, learnt = _resumed(checkpoints)
    for step in range(done + 1, STEPS + 1):
        time.sleep(STEP_SECONDS)
        learnt += step
        metrics.log("train", step, STEPS, {"loss": 1 / step})
        paused = (folder / PAUSE).exists()
        if paused or step % CHECKPOINT_STEPS == 0:
            _save(checkpoints / f"checkpoint-{step:02d}", learnt)
        if paused and step < STEPS:
            write_json(folder / RESULT, {"status": "paused", "steps": step})
            return
    output = Path(order["output"])
    temporary = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    _write(temporary, learnt)
    manifest = publish(temporary, output)
    write_json(folder / RESULT, {"status": "done", "steps": STEPS, "final_loss": 1 / STEPS, "manifest": manifest})


def _resumed(checkpoints: Path) -> tuple[int, int]:
    chosen, _ = last_whole(sorted(checkpoints.iterdir()))
    for other in checkpoints.iterdir():
        if chosen is None or other > chosen:
            shutil.rmtree(other)
    if chosen is None:
        return 0, 0
    return int(chosen.name.rpartition("-")[2]), json.loads((chosen / WEIGHTS).read_bytes())["learnt"]


def _save(checkpoint: Path, learnt: int) -> None:
    _write(checkpoint, learnt)
    seal(checkpoint)


def _write(folder: Path, learnt: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_text(json.dumps({"learnt": learnt}), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
