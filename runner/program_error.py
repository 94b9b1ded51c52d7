"""The error that a program is not valid; of its own, so that who only catches it need not import what reads YAML."""

from __future__ import annotations

from collections.abc import Sequence


class ProgramError(Exception):
    """The program cannot be used; one line for each problem: file, line, field, what is wrong, what is allowed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
