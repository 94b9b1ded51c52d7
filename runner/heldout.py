"""Whether there is something to judge by: held-out rows that can be read, looked for before anything is trained."""

from __future__ import annotations

import sys
from pathlib import Path

from lanes.rows import Broken, read_pairs, read_prompts
from lanes.sources import DataError
from runner.doctor_program import READ_HERE
from runner.front_matter import read_document
from runner.problems import Problem
from runner.program import Program


def nothing_to_judge_by(program: Program) -> tuple[str, ...]:
    """One line where the file that the program's judge needs has no row that can be used; hub ids are taken on trust.

    Reads the whole file, so not in an event loop.
    """
    heldout = program.data.heldout
    if program.evaluate.judge == "command":
        return ()
    votes = program.evaluate.judge == "votes"
    name, source = ("prompts", heldout.prompts) if votes else ("pairs", heldout.pairs)
    if source is None or not Path(source.path).is_absolute() or not source.path.lower().endswith(READ_HERE):
        return ()
    broken = Broken(sys.maxsize)
    try:
        rows = len(read_prompts(source, broken) if votes else read_pairs(source, broken))
        what = f"has no row that can be used ({broken.lines[0] if broken.lines else 'it is empty'})"
    except (DataError, OSError) as error:
        rows, what = 0, f"cannot be used ({getattr(error, 'strerror', None) or error})"
    if rows:
        return ()
    allowed = "rows with a field 'prompt'" if votes else "rows with the fields 'prompt', 'chosen' and 'rejected'"
    problem = Problem(("data", "heldout", name), f"{source.path!r} {what}", allowed)
    return (problem.line(read_document(program.text, program.path.name)),)
