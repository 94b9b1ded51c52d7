"""Has a run's votes studied in a process of its own: scipy and a million votes are too much for who drives a run."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from lanes.analyze.findings import Strength
from lanes.analyze.study import Study, of_insight, strengths_of_json

PROGRAM = "lanes.analyze.studying"

STRENGTHS = "strengths"
"""What the program is asked for where these alone are wanted."""

MOST_SECONDS = 300.0
"""A study that takes longer is given up."""

MOST_SECONDS_OF_A_VERDICT = 10.0
"""Strengths that take longer are given up, as a verdict waits for them."""


class StudyError(Exception):
    """The votes could not be studied; the message says why."""


async def studied(run_folder: Path) -> Study | None:
    """What the votes of a run say now; None before the first vote. Cancelled, it leaves no process behind.

    Raises:
        StudyError: The process failed, or took too long.
    """
    found = await _said(MOST_SECONDS, str(run_folder))
    return found and of_insight(found)


async def strengths(run_folder: Path) -> tuple[Strength, ...]:
    """The strengths alone, as a study has them, while a verdict waits; none before the first vote on the reference.

    Raises:
        StudyError: The process failed, or took too long.
    """
    return strengths_of_json(await _said(MOST_SECONDS_OF_A_VERDICT, str(run_folder), STRENGTHS))


async def _said(most_seconds: float, *arguments: str) -> Any:
    """The JSON line of the process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(most_seconds):
            said, complaint = await process.communicate()
    except TimeoutError:
        raise StudyError(f"it took longer than {most_seconds:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise StudyError(last or f"status {process.returncode}")
    return json.loads(said)
