"""The memory that the agent is handed, for whoever wants to read it: built from the store like the agent's own."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints.reader import Reader
from checkpoints.records import Row
from runner.agent.memory import remember
from runner.agent.shortening import Section
from runner.program import FILE
from runner.program_error import ProgramError
from runner.programs import parse_program


class NotRemembered(Exception):
    """The memory cannot be built; the message says why."""


def memory_of(read: Reader, rows: Sequence[Row]) -> tuple[tuple[Section, ...], int]:
    """Its sections, and how many tokens they may have in all.

    Args:
        read: Of the run.
        rows: All experiments, with or without their recipes.

    Raises:
        NotRemembered: No program is in force, or it can no longer be read.
        sqlite3.Error: The store cannot be read.
    """
    program = read.program()
    if program is None:
        raise NotRemembered("no program is in force yet")
    try:
        plan = parse_program(program.text, read.folder.parent / FILE)
    except ProgramError as error:
        raise NotRemembered(f"the program in force cannot be read again: {error}") from None
    memory = remember(read, plan, rows, plan.closed(read))
    return memory.sections(), memory.budget
