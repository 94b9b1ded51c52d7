"""``program.md`` under a run that goes on: deleted, replaced by rename, edited without end.

Elsewhere: an invalid edit, one that names what is not there, one that no edit may make (``test_session``); a program
that cannot begin a run (``test_bad_input``, ``test_program``).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from laws import broken_laws
from test_session import PROGRAM, folder, running, sleeping, training, until

from checkpoints.records import Level

__all__ = ["folder"]


@pytest.mark.slow
async def test_a_program_that_is_deleted_stays_in_force_and_is_taken_up_again_when_it_is_back(folder: Path) -> None:
    session = sleeping(folder, training=0.6)
    async with running(session) as store:
        await until(training(store, 1))
        (folder / "program.md").unlink()
        await until(training(store, 2))
        (folder / "program.md").write_text(PROGRAM.replace("experiments: 3", "experiments: 4"))
        await until(lambda: (found := store.read.program()) and found.revision == 2)
    assert broken_laws(store.read, 4) == []
    assert [event.text for event in store.read.events() if event.level is Level.ERROR] == []
    await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_program_that_is_replaced_by_rename_is_in_force(folder: Path) -> None:
    session = sleeping(folder, training=0.6)
    async with running(session) as store:
        await until(training(store, 1))
        edited = folder / ".program.md.swp"
        edited.write_text(PROGRAM.replace("experiments: 3", "experiments: 4"))
        edited.rename(folder / "program.md")
        await until(lambda: (found := store.read.program()) and found.revision == 2)
    assert broken_laws(store.read, 4) == []
    await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_program_that_is_edited_a_hundred_times_a_second_is_read_a_few_times_and_its_last_words_count(
    folder: Path,
) -> None:
    session = sleeping(folder, training=1.5)
    async with running(session) as store:
        await until(training(store, 1))
        for number in range(200):
            text = PROGRAM.replace("experiments: 3", "experiments: 4" if number % 3 else "experiments: many")
            (folder / "program.md").write_text(text if number % 5 else text[: len(text) // 2])
            await asyncio.sleep(0.01)
        last = PROGRAM.replace("experiments: 3", "experiments: 4") + "The last word.\n"
        (folder / "program.md").write_text(last)
        await until(lambda: (found := store.read.program()) and found.text == last)
        revision = store.read.last_program()
        assert revision and revision.revision < 40, "not each of two hundred"
    assert broken_laws(store.read, 4) == []
    await session.close(keep_workers=False)
