"""How long a run of 10,000 experiments and 1,000,000 metric rows takes to go on.

Run: ``python -m bench.resume``. About two minutes, most of them to make the run. The lanes sleep; the store, the
memory, the playbook and the loop are the real ones.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

if TYPE_CHECKING:
    from sqlite_utils import Database

EXPERIMENTS, ROWS_EACH, RUNS = 10_000, 100, 5


def fill(db: Database) -> None:
    """Ended experiments with stages, verdicts, metrics and events, straight into the tables."""
    from lanes.recipe import Recipe

    recipe = Recipe.model_validate({"method": "dpo", "data": {"mix": {"a": 1, "b": 1}}}).model_dump_json()
    now = time.time()
    db.conn.executemany(
        "INSERT INTO experiments (number, state, hypothesis, category, change, change_hash, proposer, recipe, parent,"
        " opponent, proposed_at, ended_at) VALUES (?, ?, 'because', 'loss', ?, ?, 'playbook', ?, ?, ?, ?, ?)",
        [
            (
                n, "kept" if n % 20 == 0 else "discarded",
                json.dumps({"field": "training.beta", "old": 0.1, "new": n}) if n else None, f"hash-{n}" if n else "",
                recipe, None if n == 0 else (n - 1) // 20 * 20, None if n == 0 else (n - 1) // 20 * 20, now, now,
            )
            for n in range(EXPERIMENTS)
        ],
    )  # fmt: skip
    for lane in ("train", "upload", "evaluate", "analyze"):
        db.conn.executemany(
            'INSERT INTO stages (experiment, lane, attempt, state, "order", result, started_at, finished_at, seconds)'
            f" VALUES (?, '{lane}', 1, 'done', '{{}}', '{{\"final_loss\": 0.6}}', ?, ?, 1.0)",
            [(n, now, now) for n in range(EXPERIMENTS)],
        )
    db.conn.executemany(
        "INSERT INTO verdicts VALUES (?, ?, 60, 40, 10, '[0.6,0.5,0.7]', '[0.6,0.48,0.71]', 0.55, NULL, '', ?)",
        [(n, "keep" if n % 20 == 0 else "discard", now) for n in range(EXPERIMENTS)],
    )
    db.conn.executemany(
        "INSERT INTO championships (experiment, since, until, reason) VALUES (?, ?, ?, 'better')",
        [(n, now, None if n + 20 >= EXPERIMENTS else now) for n in range(0, EXPERIMENTS, 20)],
    )
    db.conn.executemany(
        "INSERT INTO events (at, level, kind, experiment, text) VALUES (?, 'info', 'verdict', ?, 'a line of the log')",
        [(now, n // 5) for n in range(5 * EXPERIMENTS)],
    )
    values = json.dumps({"loss": 0.61234, "grad_norm": 1.234, "learning_rate": 0.0012, "rewards/accuracies": 0.75})
    db.conn.executemany(
        "INSERT INTO metrics VALUES (?, 'train', ?, ?)",
        ((n, step, values) for n in range(EXPERIMENTS) for step in range(ROWS_EACH)),
    )


def go_on(folder: Path) -> None:
    """In a process of its own: take the run up and print the time when a new training has begun."""
    from sleeping import drive

    from checkpoints.records import Lane
    from checkpoints.store import Store

    async def until_training() -> None:
        with Store(folder) as store:
            known = store.read.count()
            loop = asyncio.create_task(drive(store, known + 2, {lane: 60.0 for lane in Lane}))
            while not (stage := store.read.open_stage(Lane.TRAIN)) or stage.experiment < known:
                await asyncio.sleep(0.002)
                if loop.done():
                    raise SystemExit(f"the loop ended before a training began: {loop.exception()}")
            print(time.time(), flush=True)
            loop.cancel()
            store.submit(lambda db: db.execute("DELETE FROM stages WHERE experiment >= ?", [known]))
            store.submit(lambda db: db.execute("DELETE FROM hypotheses"))
            store.submit(lambda db: db.execute("DELETE FROM zoom_outs"))
            store.submit(lambda db: db.execute("DELETE FROM experiments WHERE number >= ?", [known]))

    asyncio.run(until_training())


def main() -> None:
    if len(sys.argv) > 1:
        go_on(Path(sys.argv[1]))
        return
    from sleeping import program

    from checkpoints import writes
    from checkpoints.store import Store

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store(folder) as store:
            store.submit(writes.create_run, "bench", "resume", EXPERIMENTS, 7).result()
            store.submit(fill).result()
        assert program(folder, 1)
        times: list[float] = []
        for _ in range(RUNS):
            began = time.time()
            done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
            times.append(float(done.stdout) - began)
        size = (folder / "run.db").stat().st_size / 2**20
    print(f"{EXPERIMENTS:,} experiments, {EXPERIMENTS * ROWS_EACH:,} metric rows, {size:.0f} MB")
    print(f"start to a new training: median {statistics.median(times):.2f} s, slowest {max(times):.2f} s of {RUNS}")


if __name__ == "__main__":
    main()
