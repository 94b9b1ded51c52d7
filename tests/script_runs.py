"""A small script in a repository of its own, and a language model that says what a test wants, in this process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checkpoints import writes
from checkpoints.records import Experiment
from checkpoints.store import Store
from checkpoints.thought import Exchange, Purpose
from runner.agent.asking import Answer, Question, Unusable
from runner.session import Session

SCRIPT = """\
import os
A = 5
B = 5
C = 5
unused = 5
print(f"\\rstep 1 | loss: 2.0", end="")
print(f"\\nval_bpb: {1 + (A + B + C) / 100:.6f}")
print("peak_vram_mb: 512.0")
"""

PROGRAM = """\
---
name: small
goal: lower val_bpb
script:
  command: python train.py
  editable: [train.py]
  metric: {{name: val_bpb, direction: min, noise: {{repeats: 1}}{metric}}}
  seconds: {seconds}
  startup_seconds: 0.5
{more}agent: {{model: {model}{base}}}
budget: {{experiments: {experiments}}}
zoom_out: {{every: 1000, plateau: 1000, streak: 1000}}
---
Make it lower.
"""


def repository(folder: Path, script: str = SCRIPT, **program: Any) -> Path:
    """A clone with a script, a file that nobody may edit and a program, all committed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(script)
    (folder / "prepare.py").write_text("FIXED = 1\n")
    said = {"metric": "", "more": "", "model": "openai/said", "base": "", "experiments": 1, "seconds": 20} | program
    (folder / "program.md").write_text(PROGRAM.format(**said))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "-c", "user.email=a@b", "-c", "user.name=a", "commit", "-qm", "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """What git says there."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def edit(text: str, search: str, replace: str, category: str = "optimiser") -> dict[str, Any]:
    """A proposal, as a model says it."""
    return {
        "hypothesis": {"belief": None, "text": text, "why": "", "rests_on": []},
        "category": category,
        "change": {"field": "train.py", "new": {"edits": [{"search": search, "replace": replace}]}},
        "expected": {"effect": 0.01, "refuted_by": "no gain"},
        "differs": "",
    }


def repair(search: str, replace: str) -> dict[str, Any]:
    """A repair, as a model says it."""
    return {"why": "it was broken", "change": edit("", search, replace)["change"]}


class Saying:
    """Says proposals and repairs in their order."""

    name = "openai/said"

    def __init__(self, store: Store, proposals: list[Any], repairs: list[Any]) -> None:
        self.asked: list[Question] = []
        self._store, self._proposals, self._repairs = store, list(proposals), list(repairs)

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        mending = question.purpose is Purpose.REPAIR and "Experiment" in question.messages[1]["content"][:11]
        said = self._repairs if mending else self._proposals
        if not said:
            raise Unusable("it has nothing more to say")
        value = said.pop(0)
        text = json.dumps(value)
        exchange = Exchange(
            0, time.time(), question.purpose, self.name, "json_schema", None, "…", text, "", 1, 1, None, 0.1
        )
        return Answer(text, value, await self._store.do(writes.add_exchange, exchange))

    async def close(self) -> None: ...


def session_of(
    folder: Path, proposals: list[Any], repairs: list[Any] | None = None, linger: bool = False
) -> tuple[Session, Saying]:
    """A session whose model says these things."""
    session = Session(folder, linger=linger)
    model = Saying(session.store, proposals, repairs or [])
    session._agent.model = model  # type: ignore[attr-defined]
    return session, model


async def night(folder: Path, proposals: list[Any], repairs: list[Any] | None = None) -> tuple[Session, Saying]:
    """A whole run, to its end; the session is to be closed."""
    session, model = session_of(folder, proposals, repairs)
    await asyncio.wait_for(session.run(), 60)
    return session, model


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


def table(folder: Path) -> list[dict[str, str]]:
    """``results.tsv``."""
    header, *lines = (folder / "run" / "results.tsv").read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def verdicts(session: Session) -> list[tuple[str, str]]:
    """State and sentence of each experiment."""

    def sentence(one: Experiment) -> str:
        verdict = session.store.read.verdict(one.number)
        return verdict.reason if verdict else one.note

    return [(str(one.state), sentence(one)) for one in session.store.read.experiments()]
