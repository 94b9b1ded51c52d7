"""The arena without the loop, as a command: it serves until a signal, or until a person stops the run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from checkpoints.text import clean
from lanes.evaluate_settings import EvaluateSettings
from runner.alone import ArenaAlone
from tui.leaving import ANSWERED, answer_signals


async def serve_alone(run_folder: Path, settings: EvaluateSettings) -> None:
    """Serve, and end everything that was started.

    Raises:
        Held, StoreError, StageFailed, LedgerError: As ``ArenaAlone`` does.
    """
    asked = asyncio.Event()
    for each in ANSWERED:
        asyncio.get_running_loop().add_signal_handler(each, asked.set)
    answer_signals()
    arena = ArenaAlone(run_folder, settings, lambda line: print(clean(line), flush=True))
    try:
        serving = asyncio.create_task(arena.run(), name="arena alone")
        told = asyncio.create_task(asked.wait())
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if serving.cancel():
            await asyncio.wait({serving})
        else:
            serving.result()
    finally:
        await arena.close()
