"""The fields of a program that changes a script, with their defaults and what each may be."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field

from lanes.analyze.metric_rule import RuleName
from runner.settings import AtLeast0, AtLeast1, Common, Part, Seconds, Spending, Text

ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
METRIC_NAME = r"^[A-Za-z_][A-Za-z0-9_./-]{0,63}$"


def _inside(path: str) -> str:
    """A path as git writes it, that cannot lead out of the program's folder."""
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts or not found.parts or "\\" in path or found.parts[0] == ".git":
        raise ValueError("leads out of the program's folder")
    return str(found)


def _some(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Not by a least length: pydantic would complain of that, too, where one of them is wrong."""
    if not paths:
        raise ValueError("names no file")
    return paths


def _with_a_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern, re.MULTILINE).groups
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"has {groups} groups; one group, in round brackets, is the number")
    return pattern


Inside: TypeAlias = Annotated[
    Text, AfterValidator(_inside), Field(json_schema_extra={"allowed": "a path below the program's folder"})
]
Command: TypeAlias = Annotated[Text, Field(json_schema_extra={"allowed": "a command line"})]


class Noise(Part):
    """How the noise of one run is measured before anything is tried."""

    model_config = ConfigDict(json_schema_extra={"allowed": "{repeats: 2}"})

    repeats: AtLeast1 | None = None
    """Further runs of the baseline, each with a seed of its own where the command takes one; null is 4 under the rule
    ``confirmed`` and 2 under the others."""


class ScriptMetric(Part):
    """The number that the script prints, and what decides by it."""

    name: Annotated[
        str, Field(pattern=METRIC_NAME, json_schema_extra={"allowed": "letters, digits, _ . / -, at most 64"})
    ]
    direction: Literal["min", "max"]
    """Whether less or more of it is better: nobody can guess that."""

    pattern: (
        Annotated[
            str,
            Field(min_length=1, json_schema_extra={"allowed": "a regular expression with one group, the number"}),
            AfterValidator(_with_a_group),
        ]
        | None
    ) = None
    """Finds the number in the output; the last match counts. Null takes ``name: number`` and ``METRIC name=number``."""

    rule: RuleName | None = None
    """What keeps a change; null is ``confirmed`` where ``seed_env`` is said and ``record`` where it is not."""

    noise: Noise = Noise()

    @property
    def measured(self) -> tuple[str, str, str | None]:
        """What the number is; the rule may become another one."""
        return self.name, self.direction, self.pattern


class Script(Part):
    """The command, what of it may be edited, and how it is run."""

    command: Command
    """Run by the shell in the program's folder, with its output in ``run.log``."""

    editable: Annotated[
        tuple[Inside, ...], AfterValidator(_some), Field(json_schema_extra={"allowed": "a list of files, at least one"})
    ]
    """Files that the agent may edit; all others that git knows are protected."""

    metric: ScriptMetric
    seconds: Seconds = 300.0
    """What a run may take."""

    startup_seconds: Seconds = 300.0
    """What may come on top of it: start, compilation, evaluation. A run is ended after both together."""

    checks: tuple[Command, ...] = ()
    """Commands that must pass, in their order, before a change is kept."""

    protected: tuple[Text, ...] = ()
    """Further files and folders, git may know them or not, that no run may alter; hashed before and after each."""

    env: tuple[
        Annotated[str, Field(pattern=ENV_NAME, json_schema_extra={"allowed": "names of environment variables"})], ...
    ] = ()
    """Environment variables that are passed on to the script, besides those without which nothing runs."""

    seed_env: (
        Annotated[str, Field(pattern=ENV_NAME, json_schema_extra={"allowed": "the name of an environment variable"})]
        | None
    ) = None
    """Environment variable from which the script takes its seed; null where it takes none."""

    repairs: Annotated[AtLeast0, Field(le=10)] = 2
    """How often the agent may repair a change that crashed."""

    @property
    def rule(self) -> RuleName:
        """What keeps a change."""
        return self.metric.rule or ("confirmed" if self.seed_env else "record")


class ScriptSettings(Common):
    """The front matter of a program that changes a script."""

    script: Script
    budget: Spending = Spending()
