"""The score worker: ``python -m lanes.workers.score ORDER.json`` scores held-out pairs under a model that was trained.

For pairs that trainings never look at: it is started for keeps only.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from lanes.workers.presence import introduce, take_lock

if TYPE_CHECKING:
    from lanes.order import ScoreResult

PROGRAM = "lanes.workers.score"
TAKEN = 3
"""Exit status when another worker has the folder."""


def main(arguments: list[str]) -> int:
    """Work in the folder of the order file that ``arguments`` name; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m lanes.workers.score ORDER.json", file=sys.stderr)
        return 2
    place = Path(arguments[0]).resolve()
    if take_lock(place.with_name("worker.lock")) is None:
        return TAKEN
    introduce(place.with_name("worker.json"), PROGRAM)
    from checkpoints.artifacts import write_json

    write_json(place.with_name("result.json"), _carry_out(place).model_dump(mode="json"))
    return 0


def _carry_out(place: Path) -> ScoreResult:
    from lanes.order import ScoreOrder, ScoreResult
    from lanes.workers.failures import InputError, classify

    try:
        order = ScoreOrder.model_validate_json(place.read_bytes())
        from lanes.rows import Broken, read_pairs

        pairs = sorted(read_pairs(order.pairs, Broken(order.train.max_broken_rows)), key=lambda pair: pair.key)
        from lanes.workers.scoring import score, trained

        policy, tokenizer = trained(order.train)
        scored = score(order.train, policy, tokenizer, pairs)
        if not scored:
            raise InputError(f"{order.pairs.path} has no pair whose prompt leaves room for an answer")
        return ScoreResult(status="done", pairs=scored)
    except Exception as error:
        traceback.print_exc()
        kind, line = classify(error)
        return ScoreResult(status="failed", failure=kind, error=line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
