"""What the doctor says of the agent: it is asked for one word, which tries its key, its address and its name."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from runner.agent.process import Died, NotReady, Process, Whom
from runner.findings import Finding
from runner.settings import Agent

SECONDS = 20.0
"""Longest wait for the word."""

ONE_WORD = {
    "messages": [{"role": "user", "content": "Say the word: ready"}], "schema": None, "form": None,
    "room": {"tokens": None, "usd": None, "asking": 10},
}  # fmt: skip


def examine_agent(agent: Agent) -> Finding:
    """Ask the model of a program for one word; the playbook is not asked.

    Names of keys only are shown; their values are nobody's business.
    """
    if agent.model == "playbook":
        return Finding("agent", "ok", "playbook: needs no key and no network")
    began = time.monotonic()
    if line := asyncio.run(_failure(Whom(agent.model, agent.api_base))):
        return Finding("agent", "missing", line, "correct agent in program.md, or agent: {model: playbook}")
    return Finding("agent", "ok", f"{agent.model} answers, {time.monotonic() - began:.1f} s with its start")


def _unheard(text: str, form: str) -> None:
    """Nobody watches one word come."""


async def _failure(whom: Whom) -> str:
    """Why the model gives no word, a line; empty where it does."""
    with tempfile.TemporaryDirectory() as folder:
        process = Process(Path(folder))
        try:
            await process.start(whom)
            heard = await process.ask(ONE_WORD, SECONDS, _unheard)
        except (NotReady, Died) as failed:
            return str(failed)
        finally:
            await process.close()
    return f"{whom.model} answers, and {heard.line}" if heard.kind == "reply" else heard.line
