"""The train worker: ``python -m lanes.workers.train ORDER.json`` turns an order into metrics, an adapter and a result.

Started before its order exists it stands by: it imports, loads the model that ``standby.json`` names, and waits for the
order. Exit status 0 says that there is a result (or that nobody wants one any more), 3 that another worker has the
folder.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints import strokes
from lanes.workers.presence import Owner, introduce, take_lock

if TYPE_CHECKING:
    from lanes.order import TrainOrder, TrainResult
    from lanes.workers.metrics import Metrics
    from lanes.workers.training import Warm

PROGRAM = "lanes.workers.train"
TAKEN = 3
"""Exit status when another worker has the folder."""

POLL_SECONDS = 0.02


def main(arguments: list[str]) -> int:
    """Work in the folder of the order file that ``arguments`` name; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m lanes.workers.train ORDER.json", file=sys.stderr)
        return 2
    place = Path(arguments[0]).resolve()
    _be_quiet()
    if _is_first_process():
        if take_lock(place.with_name("worker.lock")) is None:
            print(f"Another worker has {place.parent}", file=sys.stderr)
            return TAKEN
        introduce(place.with_name("worker.json"), PROGRAM)
    return _work(place)


def _work(place: Path) -> int:
    from lanes.order import METRICS, RESULT
    from lanes.workers.metrics import Metrics

    result = place.with_name(RESULT)
    if _is_done(result):
        return 0
    metrics = Metrics(place.with_name(METRICS)) if _is_first_process() else None
    warm = None
    if not place.exists():
        warm = _stand_by(place)
        if not place.exists():
            return 0
    if metrics is not None:
        strokes.take(result)
    found = _carry_out(place, metrics, warm)
    if metrics is not None or found.status == "failed":
        _write(result, found)
    return 0


def _stand_by(place: Path) -> Warm | None:
    """Get warm, say so, and wait until the order is there or nobody wants this worker any more."""
    warm = _warm_up(place)
    place.with_name("ready").touch()
    owner = Owner()
    while not place.exists() and place.parent.is_dir() and not owner.is_gone():
        time.sleep(POLL_SECONDS)
    return warm


def _warm_up(place: Path) -> Warm | None:
    """Import, and load the model; a model that cannot be loaded is the order's failure, if it asks for it too."""
    from lanes.order import STANDBY, Standby
    from lanes.workers import training

    wish = place.with_name(STANDBY)
    if not wish.exists():
        return None
    try:
        return training.warm_up(Standby.model_validate_json(wish.read_bytes()))
    except Exception:
        traceback.print_exc()
        return None


def _carry_out(place: Path, metrics: Metrics | None, warm: Warm | None) -> TrainResult:
    from lanes.order import TrainOrder, TrainResult
    from lanes.workers.failures import classify

    try:
        order = TrainOrder.model_validate_json(place.read_bytes())
        return _train(order, place.parent, metrics, warm)
    except Exception as error:
        traceback.print_exc()
        kind, line = classify(error)
        return TrainResult(status="failed", failure=kind, error=line)


def _train(order: TrainOrder, folder: Path, metrics: Metrics | None, warm: Warm | None) -> TrainResult:
    """Rows first: what is wrong with them is said before anything heavy is imported."""
    if metrics is not None:
        metrics.note("reading the data")
    from lanes.data import select

    selection = select(order)
    if metrics is not None:
        metrics.note("loading the model")
    from lanes.workers import training

    return training.train(order, selection, folder, metrics, warm)


def _write(path: Path, found: TrainResult) -> None:
    from checkpoints.artifacts import write_json

    write_json(path, found.model_dump(mode="json"))


def _is_done(result: Path) -> bool:
    from lanes.order import TrainResult

    try:
        return TrainResult.model_validate_json(result.read_bytes()).status == "done"
    except (OSError, ValueError):
        return False


def _is_first_process() -> bool:
    """Whether this is the only process of the training, or the first of those that ``accelerate launch`` started."""
    return os.environ.get("RANK", "0") == "0"


def _be_quiet() -> None:
    """No progress bars, no tracking services, no telemetry, and no threads of the tokenizer beside the training's."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["WANDB_MODE"] = "disabled"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
