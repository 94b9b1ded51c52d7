"""Our train worker against a plain TRL script with the same settings: ``python bench/train_overhead.py``.

Both train the sample model on the same rows in the same order, log every step and save every tenth. The time is from
the beginning of the first step to the end of the last. Runs alternate, so that a slow minute of the machine hits both;
that both end with the same loss shows that they did the same work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "sample_data"
BATCH = 8
SAVE_STEPS = 10
MOST = 1.03


def main() -> int:
    """Print both medians and their ratio; exit status 1 when the ratio is above `MOST`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--steps", type=int, default=40, help="steps of a run (default 40)")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        _plain(options.plain, options.steps)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return _compare(Path(folder), options.runs, options.steps)


def _compare(folder: Path, runs: int, steps: int) -> int:
    _write_rows(folder / "rows.jsonl", steps)
    ours: list[float] = []
    plain: list[float] = []
    for number in range(runs):
        measured = {
            "plain": _run([__file__, "--steps", str(steps), "--plain", str(_fresh(folder, f"plain-{number}"))]),
            "ours": _run(["-m", "lanes.workers.train", str(_write_order(_fresh(folder, f"ours-{number}"), steps))]),
        }
        losses = [_result(folder / f"{name}-{number}")["final_loss"] for name in measured]
        if losses[0] != losses[1]:
            raise SystemExit(f"not the same work: final losses {losses}")
        plain.append(_result(folder / f"plain-{number}")["seconds"])
        ours.append(_result(folder / f"ours-{number}")["seconds"])
        print(f"run {number + 1}: plain {plain[-1]:.2f} s, ours {ours[-1]:.2f} s, loss {losses[0]:.6f}", flush=True)
    ratio = statistics.median(ours) / statistics.median(plain)
    print(f"plain TRL script  {statistics.median(plain):8.2f} s  (median of {runs}, {steps} steps of {BATCH} pairs)")
    print(f"our train worker  {statistics.median(ours):8.2f} s")
    print(f"ratio             {ratio:8.3f}    (must be at most {MOST})")
    return 0 if ratio <= MOST else 1


def _fresh(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _run(arguments: list[str]) -> None:
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(HERE.parent), HF_HUB_OFFLINE="1")
    environment |= {"TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])


def _result(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "result.json").read_text())
    if found.get("status", "done") != "done":
        raise SystemExit(found["error"])
    return found


def _order(folder: Path, steps: int) -> dict[str, Any]:
    training = {"learning_rate": 1e-3, "max_steps": steps, "per_device_train_batch_size": BATCH, "max_length": 128}
    return {
        "experiment": 0,
        "model": str(SAMPLES / "model"),
        "recipe": {
            "method": "dpo",
            "data": {"mix": {"expert": 1, "traffic": 1}, "sample_size": BATCH * steps},
            "training": training,
        },
        "sources": {name: {"path": str(SAMPLES / "pairs" / f"{name}.jsonl")} for name in ("expert", "traffic")},
        "output": str(folder / "adapter"),
        "checkpoint_steps": SAVE_STEPS,
        "device": "cpu",
    }


def _write_order(folder: Path, steps: int) -> Path:
    path = folder / "order.json"
    path.write_text(json.dumps(_order(folder, steps)))
    return path


def _write_rows(path: Path, steps: int) -> None:
    """The rows that our worker will draw, in its order, for the plain script."""
    sys.path.insert(0, str(HERE.parent))
    from lanes.data import select
    from lanes.order import TrainOrder

    rows = select(TrainOrder.model_validate(_order(path.parent, steps))).train
    lines = [{"prompt": row.prompt, "chosen": row.answer, "rejected": row.rejected} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _plain(folder: Path, steps: int) -> None:
    """What a person would write with TRL alone."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    class Clock(TrainerCallback):
        first = last = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.first = self.first or time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.last = time.monotonic()

    torch.set_num_threads(1)
    clock = Clock()
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(SAMPLES / "model", dtype=torch.float32),
        args=DPOConfig(
            output_dir=str(folder / "out"),
            learning_rate=1e-3,
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            max_length=128,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            logging_steps=1,
            save_steps=SAVE_STEPS,
            save_total_limit=2,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=load_dataset("json", data_files=str(folder.parent / "rows.jsonl"), split="train"),
        processing_class=AutoTokenizer.from_pretrained(SAMPLES / "model"),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"),
        callbacks=[clock],
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    (folder / "result.json").write_text(json.dumps({"seconds": clock.last - clock.first, "final_loss": losses[-1]}))


if __name__ == "__main__":
    sys.exit(main())
