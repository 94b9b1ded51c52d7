"""The arena's own process in front of the real model server, on the model of ``sample_data``."""

from __future__ import annotations

import json
from pathlib import Path

import arena_served
import pytest
import served

from lanes.arena.lineup import Arm, Lineup

CHAMPION, CANDIDATE = "exp-0001", "exp-0002"


@pytest.mark.slow
def test_a_real_model_server_answers_a_battle_whole_and_streamed_at_the_real_service(tmp_path: Path) -> None:
    with served.serving(tmp_path / "server") as models, models.client() as loader:
        for name in (CHAMPION, CANDIDATE):
            load = {"lora_name": name, "lora_path": str(served.MODEL)}
            assert loader.post("/v1/load_lora_adapter", json=load).status_code == 200
        settings = {"temperature": 0.0, "max_new_tokens": 24}
        arm = Arm(experiment=2, candidate=CANDIDATE, opponent=CHAMPION)
        arena_served.fill(
            tmp_path / "arena", [],
            Lineup(arms=(arm,), champion=CHAMPION, server=models.folder,
                   deployments={CHAMPION: settings, CANDIDATE: settings}),
        )  # fmt: skip
        with arena_served.serving(tmp_path / "arena") as arena, arena.client() as client:
            body = {"prompt": "How do I bake bread?<|end|>"}
            whole = client.post("/v1/battles", json=body).json()
            said = client.post("/v1/battles", json=body | {"stream": True}).text
            canary = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hello"}]})
            vote = {"battle": whole["battle"], "choice": "tie", "voter": "anna", "key": "one"}
            assert client.post("/v1/votes", json=vote).json()["counted"]
    first, second = (answer["text"] for answer in whole["answers"])
    assert first == second != "", "the same model at temperature 0 on both sides"
    done = json.loads(said.rpartition("data: ")[2])
    assert [answer["text"] for answer in done["answers"]] == [first, first]
    assert said.count("event: piece") > 4, "it comes in pieces"
    assert canary.json()["model"] == CHAMPION and canary.json()["usage"]["completion_tokens"] > 0
