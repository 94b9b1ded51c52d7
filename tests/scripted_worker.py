"""A worker that keeps the trainers' protocol and does as its order's ``model`` says: a JSON object of a script.

steps, seconds (a step), hang_at, die_at (in the first life), die_always_at, fail ([kind, error]), deaf (to SIGTERM),
child (one that sleeps), slow_end (seconds between the result and the end), notes (of the result), first_lives (that die
at once), right (of 100 held-out pairs, by learning rate: one number for each seed from 42 on, the last for all others;
null is not finite).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lanes.workers.metrics import Metrics
from lanes.workers.presence import Owner, introduce, take_lock


def main() -> int:
    place = Path(sys.argv[1])
    folder = place.parent
    if take_lock(folder / "worker.lock") is None:
        return 3
    introduce(folder / "worker.json", "scripted")
    with (folder / "lives").open("a") as lives:
        lives.write(f"{os.getpid()}\n")
    if not place.exists() and not stand_by(place):
        return 0
    order = json.loads(place.read_text())
    return play(order, folder, json.loads(order["model"]))


def stand_by(place: Path) -> bool:
    place.with_name("ready").touch()
    owner = Owner()
    while not place.exists():
        if owner.is_gone():
            return False
        time.sleep(0.01)
    return True


def play(order: dict[str, Any], folder: Path, script: dict[str, Any]) -> int:
    lives = len((folder / "lives").read_text().split())
    if script.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if script.get("child"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
        (folder / "child").write_text(str(child.pid))
    metrics = Metrics(folder / "metrics.jsonl")
    metrics.note("loading the \x1b[31mmodel")
    if lives <= script.get("first_lives", 0):
        print("Segmentation\x1b[2J fault", flush=True)
        os._exit(139)
    if "fail" in script:
        kind, error = script["fail"]
        return end(folder, {"status": "failed", "failure": kind, "error": error})
    checkpoint = folder / "checkpoint"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    first = time.time()
    steps = script.get("steps", 5)
    for step in range(done + 1, steps + 1):
        if step == script.get("hang_at"):
            time.sleep(600)
        time.sleep(script.get("seconds", 0.02))
        with (folder / "steps").open("a") as file:
            file.write(f"{step}\n")
        metrics.log("train", step, steps, {"loss": 1 / step, "tokens_per_second": 100.0, "bad": float("nan")})
        if step == script.get("die_always_at") or (step == script.get("die_at") and lives == 1):
            print("RuntimeError: the sky fell\x1b]0;title\x07", flush=True)
            os._exit(1)
        pause = (folder / "pause").exists() and step < steps
        if pause or step % order["checkpoint_steps"] == 0:
            checkpoint.write_text(str(step))
        if pause:
            return end(folder, {"status": "paused", "steps": step})
    metrics.log("eval", steps, steps, {"val_pref_acc": 0.75})
    pairs = [{"row": "a", "margin": 0.5}]
    if "right" in script:
        training = order["recipe"]["training"]
        by_seed = script["right"][str(training["learning_rate"])]
        right = by_seed[min(training["seed"] - 42, len(by_seed) - 1)]
        if right is None:
            return end(folder, {"status": "failed", "failure": "nan", "error": "loss is nan"})
        pairs = [{"row": f"p{row}", "margin": 1.0 if row < right else -1.0} for row in range(100)]
    found = {"status": "done", "steps": steps, "final_loss": 1 / steps, "pairs": pairs, "first_step_at": first}
    found["notes"] = script.get("notes", [])
    end(folder, found)
    time.sleep(script.get("slow_end", 0))
    return 0


def end(folder: Path, found: dict[str, Any]) -> int:
    (folder / ".result").write_text(json.dumps(found))
    (folder / ".result").rename(folder / "result.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
