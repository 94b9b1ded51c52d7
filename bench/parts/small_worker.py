"""A stage of the small job in a process of its own, as our lanes have theirs: order in, result out, one at a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.parts.small_job import work
from checkpoints.artifacts import write_json
from lanes.order import LOCK, RESULT, WORKER
from lanes.workers.presence import introduce, take_lock


def main(place: Path) -> int:
    """Do what an order says; returns the exit status."""
    if take_lock(place.parent / LOCK) is None:
        return 3
    introduce(place.parent / WORKER, "bench.parts.small_worker")
    order = json.loads(place.read_bytes())
    work(Path(order["ledger"]), order["experiment"], order["stage"])
    write_json(place.parent / RESULT, {"done": True})
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
