"""A model server with two small adapters on the model of ``sample_data``, in a process of its own, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from checkpoints.artifacts import seal

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "sample_data" / "model"
PROMPTS = ROOT / "sample_data" / "heldout" / "prompts.jsonl"
TOKEN = "a-token-of-a-test-that-is-long-enough"

_MAKE = """
import sys, torch
from pathlib import Path
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
torch.set_num_threads(1)
for name, rank, seed in (("exp-0000", 4, 1), ("exp-0001", 8, 2)):
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(Path(sys.argv[2]) / name)
"""


def make_adapters(folder: Path) -> None:
    """Two adapters with random weights, sealed, as ``exp-0000`` and ``exp-0001``; torch stays out of this process."""
    subprocess.run([sys.executable, "-c", _MAKE, str(MODEL), str(folder)], check=True, capture_output=True)
    for name in ("exp-0000", "exp-0001"):
        seal(folder / name)


@dataclass(frozen=True)
class Served:
    """A server that is ready."""

    folder: Path
    process: subprocess.Popen[bytes]
    port: int

    def client(self, token: str = TOKEN) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"authorization": f"Bearer {token}"}, timeout=60,
            trust_env=False,
        )  # fmt: skip

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


def write_order(folder: Path, **fields: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    order = {"model": str(MODEL), "token_file": str(token), "device": "cpu"} | fields
    (folder / "order.json").write_text(json.dumps(order))
    return folder / "order.json"


def start(order: Path, module: str = "lanes.workers.serve") -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with (order.parent / "log.txt").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", module, str(order)], stdout=log, stderr=log, env=environment)


def wait_for_result(process: subprocess.Popen[bytes], folder: Path, seconds: float = 90) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (folder / "result.json").exists():
            return json.loads((folder / "result.json").read_text())
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError((folder / "log.txt").read_text())


@contextmanager
def serving(folder: Path, module: str = "lanes.workers.serve", **fields: object) -> Iterator[Served]:
    process = start(write_order(folder, **fields), module)
    try:
        found = wait_for_result(process, folder)
        assert found["status"] == "ready", found
        yield Served(folder, process, int(str(found["port"])))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
