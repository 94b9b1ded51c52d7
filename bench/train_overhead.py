"""Our train worker against a plain TRL script with the same settings: ``python -m bench.train_overhead``.

Both train the sample model on the same rows in the same order, log every step and save every tenth. The time is from
the beginning of the first step to the end of the last. The two run at the same time, each on a core of its own, and
change cores from round to round, so that a slow minute or a slow core hits both alike; that both end with the same loss
shows that they did the same work.
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
    """Print both means and their ratio; exit status 1 when the ratio is above `MOST`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=8, help="rounds of both (default 8)")
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
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for number in range(runs):
        programs = {
            "plain": [__file__, "--steps", str(steps), "--plain", str(_fresh(folder, f"plain-{number}"))],
            "ours": ["-m", "lanes.workers.train", str(_write_order(_fresh(folder, f"ours-{number}"), steps))],
        }
        cores = _two_cores()[:: 1 if number % 2 else -1]
        started = [_start(program, core) for program, core in zip(programs.values(), cores, strict=True)]
        for process in started:
            _wait(process)
        results = {name: _result(folder / f"{name}-{number}") for name in programs}
        if results["plain"]["final_loss"] != results["ours"]["final_loss"]:
            raise SystemExit(f"not the same work: {results}")
        for name, result in results.items():
            times[name].append(result["seconds"])
        print(f"round {number + 1}: plain {times['plain'][-1]:.2f} s, ours {times['ours'][-1]:.2f} s", flush=True)
    ratios = [ours / plain for ours, plain in zip(times["ours"], times["plain"], strict=True)]
    ratio = statistics.geometric_mean(ratios)
    error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
    print(
        f"plain TRL script  {statistics.mean(times['plain']):8.2f} s  (mean of {runs}, {steps} steps of {BATCH} pairs)"
    )
    print(f"our train worker  {statistics.mean(times['ours']):8.2f} s")
    print(f"ratio             {ratio:8.3f} ± {error:.3f} (standard error; must be at most {MOST})")
    return 0 if ratio <= MOST else 1


def _two_cores() -> list[int]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("this benchmark needs two cores: the two programs run side by side")
    return cores[:2]


def _fresh(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _start(arguments: list[str], core: int) -> subprocess.Popen[str]:
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(HERE.parent), HF_HUB_OFFLINE="1")
    environment |= {"TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {core})
    return process


def _wait(process: subprocess.Popen[str]) -> None:
    errors = process.communicate()[1]
    if process.returncode:
        raise SystemExit(errors[-2000:])


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
