"""Has a run's votes studied in a process of its own: scipy and a million votes are too much for who drives a run."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from lanes.analyze.study import Study, of_insight

PROGRAM = "lanes.analyze.studying"

MOST_SECONDS = 300.0
"""A study that takes longer is given up."""


class StudyError(Exception):
    """The votes could not be studied; the message says why."""


async def studied(run_folder: Path) -> Study | None:
    """What the votes of a run say now; None before the first vote. Cancelled, it leaves no process behind.

    Raises:
        StudyError: The process failed, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, str(run_folder),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(MOST_SECONDS):
            said, complaint = await process.communicate()
    except TimeoutError:
        raise StudyError(f"it took longer than {MOST_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise StudyError(last or f"status {process.returncode}")
    found = json.loads(said)
    return found and of_insight(found)
