"""Any program: one that trains recipes or one that edits a script, by what its front matter has."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from runner.front_matter import read_document, read_text
from runner.program import FILE, Program
from runner.script.program import SCRIPT, ScriptProgram

AnyProgram: TypeAlias = Program | ScriptProgram


def read_program(path: Path) -> AnyProgram:
    """Read a program from its file, or from the folder that has a ``program.md``.

    Raises:
        ProgramError: It is not there or not valid; one line for each problem.
    """
    file = path / FILE if path.is_dir() else path
    return parse_program(read_text(file), file)


def parse_program(text: str, path: Path) -> AnyProgram:
    """Parse the text of a program; see ``Program.parse``.

    Raises:
        ProgramError: It is not valid; one line for each problem.
    """
    kind = ScriptProgram if SCRIPT in read_document(text, path.name).values else Program
    return kind.parse(text, path)
