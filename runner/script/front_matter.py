"""Writes the few lines of front matter that a plain ``program.md`` lacks, from what the repository lets one guess."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checkpoints.artifacts import write_text
from runner.front_matter import FENCE
from runner.init import InitError
from runner.program import FILE
from runner.script.program import ScriptProgram

COMMANDS = (r"(?:uv run|python3?|poetry run|pixi run|bash|sh|make)\s+[\w./-]+(?:[ \t]+[\w./=-]+)*",)
"""What a command in somebody's prose looks like, between backticks."""

_MAXIMISED = re.compile(r"\b(?:highest|higher is better|maximi[sz]e|as high as)\b", re.IGNORECASE)
_MINIMISED = re.compile(r"\b(?:lowest|lower is better|minimi[sz]e|as low as)\b", re.IGNORECASE)
_LOSSES = re.compile(r"(?:loss|bpb|bpc|ppl|perplexity|error|err|rmse|mae|mse|nll|seconds|latency)$", re.IGNORECASE)
_RESULT = re.compile(r"^([A-Za-z_][\w.-]*):[ \t]+[-+]?\d*\.\d+[ \t]*$", re.MULTILINE)
_GREPPED = re.compile(r"grep[^`\n]*?\^([A-Za-z_][\w.-]*):")
_MINUTES = re.compile(r"(?:time budget of|fixed)[^.\n]{0,40}?(\d+)[ -]*(min|sec)", re.IGNORECASE)
_SEED = re.compile(r"environ(?:\.get\(|\[)\s*[\"'](\w*SEED\w*)[\"']")


@dataclass(frozen=True, slots=True)
class Guess:
    """What was taken for a field, and from where."""

    field: str
    value: str
    why: str


def init_script(folder: Path) -> tuple[Path, list[Guess]]:
    """Write front matter in front of a person's own text; that stays as it is, to the last byte.

    Args:
        folder: A clone with a script; its ``program.md`` need not be there.

    Returns:
        The file, and what was guessed.

    Raises:
        InitError: It has front matter already, there is no script, or it cannot be written.
    """
    file = folder / FILE
    try:
        before = file.read_bytes() if file.exists() else b"\n# What to do\n\nSay here what the agent should know.\n"
        prose = before.decode()
    except OSError as error:
        raise InitError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InitError(f"{file}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    if prose.removeprefix("\ufeff").splitlines()[:1] == [FENCE]:
        raise InitError(f"{file} has front matter already; nothing was written")
    guesses = _guesses(folder, prose)
    text = _front_matter(guesses) + prose.removeprefix("\ufeff")
    ScriptProgram.parse(text, file)
    try:
        write_text(file, text)
    except OSError as error:
        raise InitError(f"{file}: cannot be written: {error.strerror}") from None
    return file, guesses


def _guesses(folder: Path, prose: str) -> list[Guess]:
    editable = _editable(folder, prose)
    script = _text(folder / editable.value)
    name = _metric(prose, script)
    found = [_command(prose, editable.value), editable, name, _direction(name.value, prose), _seconds(prose)]
    if (folder / "prepare.py").exists() and editable.value != "prepare.py":
        found.append(Guess("protected", "", "prepare.py and all else that git knows is protected by itself"))
    if seed := _SEED.search(script):
        found.append(Guess("seed_env", seed.group(1), f"{editable.value} reads its seed from it"))
    return found


def _editable(folder: Path, prose: str) -> Guess:
    if (folder / "train.py").is_file():
        return Guess("editable", "train.py", "train.py is there")
    named = [word for word in re.findall(r"`([\w./-]+\.\w+)`", prose) if (folder / word).is_file() and word != FILE]
    if named:
        return Guess("editable", named[0], "the text names it first")
    scripts = sorted(path.name for path in folder.glob("*.py"))
    if len(scripts) == 1:
        return Guess("editable", scripts[0], "the only script there is")
    there = f"; there are {', '.join(scripts[:6])}" if scripts else ""
    raise InitError(f"{folder} has no train.py, and {FILE} names no file that is there{there}: name one in its text")


def _command(prose: str, editable: str) -> Guess:
    for command in _commands(prose):
        if editable in command:
            return Guess("command", command, "the text says so")
    return Guess("command", f"python {editable}", "the text names no command")


def _commands(prose: str) -> Sequence[str]:
    """Commands of the prose, without where they send their output."""
    return [match.group(0).strip() for pattern in COMMANDS for match in re.finditer(pattern, prose)]


def _metric(prose: str, script: str) -> Guess:
    if grepped := _GREPPED.search(prose):
        return Guess("metric", grepped.group(1), "the text looks for it in the output")
    if shown := _RESULT.search(prose):
        return Guess("metric", shown.group(1), "the first number of the output that the text shows")
    if printed := re.search(r"METRIC ([A-Za-z_][\w.-]*)=", script) or re.search(r"[\"']([A-Za-z_]\w*):\s", script):
        return Guess("metric", printed.group(1), "the script prints it")
    return Guess("metric", "val_bpb", "nothing names one: say here what your script prints")


def _direction(metric: str, prose: str) -> Guess:
    more, less = _MAXIMISED.search(prose), _MINIMISED.search(prose)
    if (less and not more) or (less and more and less.start() < more.start()):
        return Guess("direction", "min", f"the text says {less.group(0)!r}")
    if more:
        return Guess("direction", "max", f"the text says {more.group(0)!r}")
    lossy = _LOSSES.search(metric)
    return Guess("direction", "min" if lossy else "max", f"a guess from the name {metric}: look at it")


def _seconds(prose: str) -> Guess:
    said = _MINUTES.search(prose)
    if said:
        seconds = int(said.group(1)) * (60 if said.group(2).lower() == "min" else 1)
        return Guess("seconds", str(max(seconds, 1)), f"the text says {' '.join(said.group(0).split())!r}")
    return Guess("seconds", "300", "five minutes, as the text says nothing else")


def _front_matter(guesses: Sequence[Guess]) -> str:
    found = {guess.field: guess.value for guess in guesses}
    name, direction = found["metric"], found["direction"]
    goal = f"the {'lowest' if direction == 'min' else 'highest'} {name}"
    seed = [f"  seed_env: {found['seed_env']}"] if "seed_env" in found else []
    return "\n".join(
        [
            FENCE,
            f"goal: {json.dumps(goal)}",
            "script:",
            f"  command: {json.dumps(found['command'])}",
            f"  editable: [{json.dumps(found['editable'])}]",
            "  metric:",
            f"    name: {name}",
            f"    direction: {direction}",
            f"    pattern: '^{re.escape(name)}:\\s+(\\S+)'",
            f"  seconds: {found['seconds']}",
            f"  startup_seconds: {max(60, int(found['seconds']))}",
            *seed,
            "agent:",
            "  model: playbook    # a litellm model string: no playbook edits a script",
            FENCE,
            "",
        ]
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
