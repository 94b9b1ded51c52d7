"""The program: ``program.md`` parsed. YAML front matter for the machine, Markdown prose for the agent.

Only the goal and what nobody can guess (model, data) must be said; every other field has a default. Places are local
paths, relative to the program's folder, or hub ids; in a parsed program local ones are absolute.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

from pydantic import ConfigDict, ValidationError

from checkpoints.reader import Reader
from checkpoints.records import Json
from checkpoints.trouble import whose
from lanes.arena import on_policy
from lanes.order import Source
from lanes.pull import SQLITE, Pull
from lanes.recipe import Recipe
from runner.cross_checks import contradictions
from runner.front_matter import Document, read_document, read_text
from runner.metric_checks import measured_otherwise
from runner.places import absolute, is_url, resolved
from runner.problems import Problem, problems
from runner.program_error import ProgramError
from runner.settings import Settings
from runner.space import Space

__all__ = ["FILE", "Program", "ProgramError"]

FILE = "program.md"


class Program(Settings):
    """The parsed ``program.md``."""

    model_config = ConfigDict(populate_by_name=True)

    path: Path
    """Of the file, absolute."""

    text: str
    """The whole file."""

    prose: str
    """For the agent, passed on as it is."""

    @classmethod
    def read(cls, path: Path) -> Program:
        """Read a program from its file, or from the folder that has a ``program.md``.

        Raises:
            ProgramError: it is not there or not valid; one line for each problem.
        """
        file = path / FILE if path.is_dir() else path
        return cls.parse(read_text(file), file)

    @classmethod
    def parse(cls, text: str, path: Path) -> Program:
        """Parse the text of a program.

        Args:
            text: front matter and prose.
            path: where the text is from; names the file in messages, and its folder is where relative places begin.

        Raises:
            ProgramError: it is not valid; one line for each problem.
        """
        path = path.absolute()
        document = read_document(text, path.name)
        settings = _settings(document, path.parent)
        return cls(**_with_places(settings, path.parent), path=path, text=text, prose=document.prose)

    @property
    def space(self) -> Space:
        """What an experiment may change, and how far."""
        return Space(self.knobs, self.start)

    @property
    def start(self) -> Json:
        """The recipe of experiment 0, as JSON."""
        return self.baseline().model_dump(mode="json")

    @property
    def slots(self) -> int:
        """Candidates that are judged side by side: one where a number judges, as each is measured against the champion
        that the one before has left."""
        return self.evaluate.slots if self.in_votes else 1

    @property
    def ahead(self) -> int:
        """Experiments that run ahead of evaluation: none where a number judges. A verdict then comes at once, and what
        is trained next is measured against what it keeps."""
        return self.budget.ahead if self.in_votes else 0

    @property
    def in_votes(self) -> bool:
        """Whether people's votes judge; else a metric does."""
        return self.evaluate.judge == "votes"

    def closed(self, read: Reader) -> frozenset[str]:
        """Weights of sources that have too few rows yet: users' votes, of which there are none at first."""
        asked = [name for name, source in self.data.sources.items() if on_policy.is_asked_for(source)]
        if not asked:
            return frozenset()
        excluded = [one.voter for one in read.exclusions()]
        if on_policy.count(read.folder, excluded, self.data.heldout) >= on_policy.FEWEST:
            return frozenset()
        return frozenset(f"data.mix.{name}" for name in asked)

    def baseline(self) -> Recipe:
        """The recipe of experiment 0; its mix has every source, those left out with weight 0."""
        return self.recipe

    def unlike(self, before: Program) -> tuple[str, ...]:
        """One line for each field that cannot change while a run goes on: the numbers would be of another kind."""
        document = read_document(self.text, self.path.name)
        return tuple(problem.line(document) for problem in measured_otherwise(before, self))

    def missing(self) -> tuple[str, ...]:
        """One line for each local file or folder that the program names and that is not there or may not be read."""
        document = read_document(self.text, self.path.name)
        places: list[tuple[tuple[str, ...], str]] = [
            (("model",), self.model.name),
            *((("data", "sources", name), source.path) for name, source in self.data.sources.items()),
            *((("data", "heldout", name), source.path) for name, source in self.data.heldout if source is not None),
        ]
        return tuple(
            Problem(path, f"{place!r} {what}", "a local file or folder, or a hub id").line(document)
            for path, place in places
            if Path(place).is_absolute() and (what := _trouble(Path(place)))
        )


def _trouble(place: Path) -> str:
    """Why a file or folder cannot be read; empty where it can."""
    if not place.exists():
        return "is not there"
    needed = os.R_OK | os.X_OK if place.is_dir() else os.R_OK
    return "" if os.access(place, needed) else f"may not be read by you: it belongs to {whose(place)}"


def _settings(document: Document, folder: Path) -> Settings:
    try:
        settings = Settings.model_validate(_filled(document.values, folder))
    except ValidationError as error:
        found = problems(error, Settings.model_json_schema(), document)
    else:
        found = contradictions(settings)
        if not found:
            return settings
    raise ProgramError([problem.line(document) for problem in found])


def _filled(values: Json, folder: Path) -> Json:
    """The values with the defaults that depend on other values: the name, and what the recipe takes from the rest.

    What has the wrong shape is left for the validation to name; a field without a value counts as left out.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")[:64]
    values = {"name": name or "run"} | {key: value for key, value in values.items() if value is not None}
    recipe = _mapping(values.get("recipe", {}))
    data = _mapping(recipe.get("data", {})) if recipe is not None else None
    mix = _mapping(data.get("mix", {})) if data is not None else None
    # Without sources there is something to mix all the same, so that their lack is the one thing that is complained of.
    sources = _mapping((_mapping(values.get("data")) or {}).get("sources")) or {"no source": None}
    if recipe is None or data is None or mix is None:
        return values
    method = "sft" if values.get("method") == "sft" else "dpo"
    mix = dict.fromkeys(sources, 0 if mix else 1) | mix
    return values | {"recipe": {"method": method} | recipe | {"data": data | {"mix": mix}}}


def _mapping(value: Any) -> Json | None:
    return cast(Json, value) if isinstance(value, dict) else None


def _with_places(settings: Settings, folder: Path) -> dict[str, Any]:
    """The settings' fields, with local places made absolute."""
    sources = {name: _with_place(source, folder) for name, source in settings.data.sources.items()}
    heldout = settings.data.heldout
    held = {name: _with_place(source, folder) for name, source in heldout if source is not None}
    heldout = heldout.model_copy(update=held)
    url = settings.upload.url
    if url is not None and not is_url(url):
        url = absolute(url, folder)
    return {name: getattr(settings, name) for name in Settings.model_fields} | {
        "model": settings.model.model_copy(update={"name": resolved(settings.model.name, folder)}),
        "data": settings.data.model_copy(update={"sources": sources, "heldout": heldout}),
        "upload": settings.upload.model_copy(update={"url": url}),
        "evaluate": settings.evaluate.model_copy(update={"pull": _pull_with_place(settings.evaluate.pull, folder)}),
    }


def _pull_with_place(pull: Pull | None, folder: Path) -> Pull | None:
    if pull is None:
        return None
    if pull.path is not None:
        return pull.model_copy(update={"path": absolute(pull.path, folder)})
    if pull.sql is not None and pull.sql.startswith(SQLITE):
        return pull.model_copy(update={"sql": SQLITE + absolute(pull.sql.removeprefix(SQLITE), folder)})
    return pull


def _with_place(source: Source, folder: Path) -> Source:
    if on_policy.is_asked_for(source):
        return source
    return source.model_copy(update={"path": resolved(source.path, folder)})
