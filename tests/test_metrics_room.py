"""A line of metrics that found no room is an error, never half a line that takes the next one along."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from lanes.workers.metrics import Metrics


def test_a_step_that_was_logged_is_there_though_the_file_could_not_grow_for_a_while(tmp_path: Path) -> None:
    path, logged = tmp_path / "metrics.jsonl", list[int]()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    metrics = Metrics(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        with pytest.raises(OSError):
            for step in range(100):
                metrics.log("train", step, 100, {"loss": 1.0})
                logged.append(step)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    Metrics(path).log("train", len(logged), 100, {"loss": 1.0})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [*logged, len(logged)]
