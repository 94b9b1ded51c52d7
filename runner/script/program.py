"""A program that has a script edited: ``program.md`` with ``script:`` in its front matter, in a git repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from checkpoints.reader import Reader
from checkpoints.records import Json
from lanes.script.git import GitError
from runner.front_matter import Document, read_document
from runner.problems import Problem, problems
from runner.program_error import ProgramError
from runner.script.committed import Committed, committed
from runner.script.settings import ScriptSettings
from runner.script.space import FileSpace

SCRIPT = "script"
"""Field of the front matter that makes a program one of a script."""


class ScriptProgram(ScriptSettings):
    """The parsed ``program.md`` of a script."""

    path: Path
    """Of the file, absolute."""

    text: str
    """The whole file."""

    prose: str
    """For the agent, passed on as it is."""

    @classmethod
    def parse(cls, text: str, path: Path) -> ScriptProgram:
        """Parse the text of a program, as ``Program.parse`` does.

        Raises:
            ProgramError: It is not valid; one line for each problem.
        """
        path = path.absolute()
        document = read_document(text, path.name)
        settings = _settings(document, path.parent)
        fields = {name: getattr(settings, name) for name in ScriptSettings.model_fields}
        return cls(**fields, path=path, text=text, prose=document.prose)

    @property
    def space(self) -> FileSpace:
        """What an experiment may change: the text of one file that may be edited."""
        return FileSpace(self.script.editable)

    @cached_property
    def committed(self) -> Committed:
        """What git has of it, looked at once.

        Raises:
            GitError: It is in no repository that a run can have a branch in.
        """
        return committed(self.path.parent, self.script.editable)

    @property
    def start(self) -> Json:
        """The recipe of experiment 0: the files that may be edited as the last commit has them, and that commit."""
        return {"files": self.committed.files, "commit": self.committed.head}

    @property
    def slots(self) -> int:
        """Candidates that are judged side by side."""
        return 1

    @property
    def ahead(self) -> int:
        """Experiments that run ahead of a verdict: none, as what is run next stands on what the verdict keeps."""
        return 0

    @property
    def in_votes(self) -> bool:
        """Never: what the script prints judges."""
        return False

    def closed(self, read: Reader) -> frozenset[str]:
        """Files that cannot be changed yet: none."""
        return frozenset()

    def unlike(self, before: ScriptProgram, measured: bool = True) -> tuple[str, ...]:
        """One line for each field that cannot change while a run goes on: the numbers would be of another kind.

        Args:
            before: The program in force.
            measured: Whether there are any numbers; until then only the files stay that the baseline was bound to.
        """
        document = read_document(self.text, self.path.name)
        new, old = self.script, before.script
        fixed: dict[tuple[str, ...], bool] = {
            (SCRIPT, "command"): new.command == old.command or not measured,
            (SCRIPT, "editable"): new.editable == old.editable,
            (SCRIPT, "metric"): new.metric.measured == old.metric.measured or not measured,
            (SCRIPT, "seed_env"): new.seed_env == old.seed_env or not measured,
        }
        what = "changes what a run measures, so it stays as it was when the run began; begin another run"
        return tuple(Problem(path, what).line(document) for path, same in fixed.items() if not same)

    def missing(self) -> tuple[str, ...]:
        """One line for each thing that a run needs of git and that is not there."""
        document = read_document(self.text, self.path.name)
        return tuple(problem.line(document) for problem in self._missing())

    def _missing(self) -> Iterator[Problem]:
        try:
            there = self.committed
        except GitError as error:
            yield Problem((SCRIPT,), str(error))
            return
        for index, path in enumerate(self.script.editable):
            where = (SCRIPT, "editable", index)
            if path in there.lacking:
                yield Problem(where, there.lacking[path])


def _settings(document: Document, folder: Path) -> ScriptSettings:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")[:64]
    given = {key: value for key, value in document.values.items() if value is not None}
    try:
        settings = ScriptSettings.model_validate({"name": name or "run"} | given)
    except ValidationError as error:
        found = problems(error, ScriptSettings.model_json_schema(), document)
    else:
        found = [*_contradictions(settings, document.name)]
        if not found:
            return settings
    raise ProgramError([problem.line(document) for problem in found])


def _contradictions(settings: ScriptSettings, program: str) -> Iterator[Problem]:
    """What no single field can know."""
    script = settings.script
    seen = set[str]()
    for index, path in enumerate(script.editable):
        where = (SCRIPT, "editable", index)
        if path in seen:
            yield Problem(where, f"{path!r} stands here twice")
        if path in script.protected:
            yield Problem(where, f"{path!r} is protected, too", "a file that script.protected does not name")
        if path == program:
            yield Problem(where, f"{path!r} is the program: whoever may edit it decides by what is judged")
        seen.add(path)
    if script.metric.rule == "confirmed" and script.seed_env is None:
        what = "'confirmed' compares runs with fresh seeds, and the command takes none"
        yield Problem((SCRIPT, "metric", "rule"), what, "record, previous_step, or a seed_env beside the command")
    if settings.search.policy == "tree" and script.rule == "previous_step":
        yield Problem(("search", "policy"), "'tree' has no previous step", "greedy, or another script.metric.rule")
