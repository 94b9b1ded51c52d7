"""The train lane waits for a repair only so long: then the crash stands, and why is said."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from speaking import Scripted

from checkpoints import writes
from checkpoints.records import Change, Json, Proposal
from checkpoints.store import Store
from lanes.script.train_lane import NotRepaired
from runner.script import repair
from runner.script.space import FileSpace

SCRIPT: Json = {"files": {"train.py": "boom\n"}, "commit": None}


async def test_a_model_that_thinks_too_long_about_a_repair_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "PATIENCE", 0.2)
    with Store(tmp_path) as store:
        await store.do(writes.create_run, "n", "g", 9, 7, None)
        edit = Change("train.py", "x", {"whole": "boom\n"})
        await store.do(writes.put_forward, Proposal("h", "code", edit, "m"), "")
        experiment = replace(store.read.experiment(0), recipe=SCRIPT)
        model = Scripted(store, {})
        model.heard.clear()
        began = time.monotonic()
        with pytest.raises(NotRepaired, match=r"openai/scripted gave no repair in 0.2 s"):
            await repair.Mender(store, lambda: FileSpace(("train.py",)), lambda: model)(experiment, "boom", "tail")
        assert time.monotonic() - began < 2
        store.submit(lambda _: None).result()
        [said] = [event for event in store.read.events() if "gave no repair in 0.2 s" in event.text]
        assert said.experiment == 0
