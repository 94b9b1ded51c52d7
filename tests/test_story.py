"""The demo tells a true story: what it keeps is better on prompts and to voters that the run has never met."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from served import ROOT, TOKEN, Served, serving

from checkpoints.reader import Reader
from checkpoints.records import BASELINE, Choice, Experiment, Outcome, State, model_name
from lanes.loopback import client
from lanes.simulated_voters import cast, voters
from runner.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FRESH_PROMPTS = 1600
"""One vote on each: with a third of them ties, which count half, the standard error is near 1.0 points."""

OTHER_VOTERS = 20_260_101
"""Seed of voters whose tastes no evaluation of the run has met."""

SURE = 2.33
"""Standard errors that a mean falls short of the truth by once in a hundred times."""

POINT = {Choice.A: 1.0, Choice.TIE: 0.5, Choice.B: 0.0}


@dataclass(frozen=True)
class Story:
    """A demo run that has ended."""

    folder: Path
    program: Program

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def ended(self, outcome: Outcome) -> list[Experiment]:
        """Experiments that were judged against a champion, by what became of them."""
        rows = [row for row in Reader(self.run).rows() if row.experiment.number != BASELINE]
        return [row.experiment for row in rows if row.verdict and row.verdict.outcome is outcome]


@dataclass(frozen=True)
class Judgement:
    """What fresh voters say of a candidate against a champion."""

    rate: float
    """Share of the votes for the candidate; a tie is half a vote."""

    error: float
    """Its standard error."""

    ties: float
    """Share of the votes that are ties."""

    def bound(self, lift: float) -> float:
        """The rate that a candidate which truly gains ``lift`` among decisive votes reaches 99 times in a hundred."""
        return 0.5 + lift * (1 - self.ties) - SURE * self.error


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(ROOT / "program.md", folder)
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    done = subprocess.run(
        [sys.executable, "-m", "tui.main", "run", "--headless", str(folder)],
        capture_output=True, text=True, timeout=1200, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    return Story(folder, Program.read(folder))


@pytest.fixture(scope="module")
def fresh(story: Story) -> list[str]:
    """Prompts from the grammar of the sample data that stand in none of its files."""
    sys.path.insert(0, str(ROOT / "sample_data"))
    try:
        rows = importlib.import_module("make").rows
        source = importlib.import_module("make_text").heldout_prompts
    finally:
        sys.path.remove(str(ROOT / "sample_data"))
    known = "".join(path.read_text(encoding="utf-8") for path in story.folder.glob("sample_data/*/*.jsonl"))
    drawn = [row["prompt"][0]["content"] for row in rows(source, "fresh prompts", 2 * FRESH_PROMPTS)]
    prompts = [prompt for prompt in drawn if f'"{prompt}"' not in known][:FRESH_PROMPTS]
    assert len(prompts) == FRESH_PROMPTS
    return prompts


def test_every_experiment_of_the_budget_is_judged(story: Story) -> None:
    assert Reader(story.run).count(State.CANCELLED) == 0
    assert len(Reader(story.run).verdicts()) == 1 + story.program.budget.experiments == 7


def test_the_run_keeps_something_and_discards_something(story: Story) -> None:
    keeps = story.ended(Outcome.KEEP)
    assert keeps and story.ended(Outcome.DISCARD)
    assert "data" in {keep.proposal.category for keep in keeps}, "the demo is about choosing data"


def test_the_held_out_prompts_suffice_for_every_verdict(story: Story) -> None:
    evaluations = [stage for stage in Reader(story.run).stages() if stage.lane == "evaluate"]
    assert evaluations and "prompts" not in {stage.result["ended"] for stage in evaluations}


async def test_every_keep_holds_on_fresh_prompts_and_voters(story: Story, fresh: Sequence[str], tmp_path: Path) -> None:
    """A candidate that is truly better by the lift fails here once in a hundred times, one that is no better 5 in 6."""
    keeps = story.ended(Outcome.KEEP)
    names = sorted({model_name(number) for keep in keeps for number in (keep.number, keep.opponent or 0)})
    with serving(tmp_path, model=str(story.folder / "sample_data" / "model"), batch_size=64) as served:
        for name in names:
            with served.client() as loading:
                body = {"lora_name": name, "lora_path": str(story.run / "published" / name)}
                assert loading.post("/v1/load_lora_adapter", json=body).status_code == 200
        recipes = {model_name(row.experiment.number): row.experiment.recipe or {} for row in Reader(story.run).rows()}
        answers = {name: await answered(served, name, recipes[name]["deployment"], fresh) for name in names}
    for keep in keeps:
        found = judged(fresh, answers[keep.model], answers[model_name(keep.opponent or 0)])
        print(f"{keep.model} {keep.proposal.change} against {model_name(keep.opponent or 0)}: {found}")
        assert found.error < 0.03
        assert found.rate > max(0.5, found.bound(story.program.evaluate.lift)), f"{keep.proposal.change}: {found}"


async def answered(served: Served, name: str, deployment: dict[str, float], prompts: Sequence[str]) -> list[str]:
    """A model's answers, served as its recipe says."""
    fields = {"temperature": deployment["temperature"], "top_p": deployment["top_p"]}
    fields["max_tokens"] = deployment["max_new_tokens"]

    async def ask(number: int, prompt: str) -> str:
        body = {"model": name, "messages": [{"role": "user", "content": prompt}], "seed": number, **fields}
        response = await asked.post("/v1/chat/completions", json=body)
        return response.json()["choices"][0]["message"]["content"]

    async with client("127.0.0.1", served.port, TOKEN, seconds=600) as asked:
        return await asyncio.gather(*(ask(*each) for each in enumerate(prompts)))


def judged(prompts: Sequence[str], candidate: Sequence[str], champion: Sequence[str]) -> Judgement:
    """One fresh voter's vote on each prompt."""
    shown = zip(itertools.islice(voters(OTHER_VOTERS), len(prompts)), prompts, candidate, champion, strict=True)
    points = [POINT[cast(OTHER_VOTERS, *each)] for each in shown]
    return Judgement(
        statistics.mean(points), statistics.stdev(points) / len(points) ** 0.5, points.count(0.5) / len(points)
    )
