"""The held-out prompts: small local files are read here, everything else by a process of its own.

``python -m lanes.prompts SOURCE FILE LIMIT`` writes the prompts of a hub data set or a Parquet file as JSON lines: to
read these takes libraries that a dashboard must not load.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from random import Random

from checkpoints import strokes
from checkpoints.records import FailureKind
from lanes.lane import StageFailed
from lanes.launch import LocalProcess
from lanes.order import Source
from lanes.rows import Broken, Conversation, Prompt, read_prompts
from lanes.sources import DataError

READ_HERE = (".jsonl", ".ndjson", ".json", ".csv")
"""Files that are read without loading a library of data sets."""


async def heldout_prompts(source: Source | None, cache: Path, limit: int) -> list[Prompt]:
    """All held-out prompts.

    Args:
        source: Where they are.
        cache: Folder for the copy of what is not read directly.
        limit: Unreadable rows that may be skipped.

    Raises:
        StageFailed: There are none, or they cannot be read; the line names the file.
    """
    if source is None:
        line = "no held-out prompts: name a file under data.heldout.prompts in program.md"
        raise StageFailed(FailureKind.INPUT, line)
    here = source if source.path.endswith(READ_HERE) else Source(path=str(await _fetched(source, cache, limit)))
    try:
        prompts = await asyncio.to_thread(read_prompts, here, Broken(limit))
    except DataError as error:
        raise StageFailed(FailureKind.INPUT, str(error)) from error
    if not prompts:
        raise StageFailed(FailureKind.INPUT, f"{source.path} has no held-out prompts: add rows with a field 'prompt'")
    return prompts


def in_order(prompts: list[Prompt], seed: int, experiment: int) -> list[Prompt]:
    """The prompts as one experiment asks them: another order for each, the same one after a kill."""
    shuffled = sorted(prompts, key=lambda prompt: prompt.id)
    Random(f"{seed}:{experiment}").shuffle(shuffled)
    return shuffled


def display(messages: Conversation) -> str:
    """What voters read: the user's words, or the whole conversation where there is more of it."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)


async def _fetched(source: Source, cache: Path, limit: int) -> Path:
    file = cache / "prompts.jsonl"
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lanes.prompts", source.model_dump_json(), str(file), str(limit),
        env=LocalProcess().environment(), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        why = said.decode(errors="replace").strip().rpartition("\n")[2] or f"exit status {process.returncode}"
        raise StageFailed(FailureKind.INPUT, f"held-out prompts: {why}")
    return file


def _write(source: Source, file: Path, limit: int) -> int:
    try:
        prompts = read_prompts(source, Broken(limit))
    except DataError as error:
        print(error)
        return 1
    rows = [{"id": each.id, "prompt": list(each.prompt), "language": each.language} for each in prompts]
    temporary = file.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    strokes.put(temporary, file)
    return 0


if __name__ == "__main__":
    sys.exit(_write(Source.model_validate_json(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
