"""The doctor's look at a program that has a script edited: git, the files, the command, confinement, seeds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from runner.agent.playbook import PLAYBOOK
from runner.doctor_agent import examine_agent
from runner.findings import Finding
from runner.script.lanes import not_confined
from runner.script.program import ScriptProgram


def examine_script(program: ScriptProgram) -> Iterator[Finding]:
    """What a run of a script needs; the script itself is not run."""
    yield from _git(program)
    yield _command(program)
    yield _confinement()
    yield _noise(program)
    if program.agent.model == PLAYBOOK:
        yield Finding("agent", "warn", "the playbook edits no script", "name a litellm model in agent.model")
    else:
        yield examine_agent(program.agent)


def _git(program: ScriptProgram) -> Iterator[Finding]:
    if missing := program.missing():
        yield from (Finding("git", "missing", line) for line in missing)
        return
    there = program.committed
    names = ", ".join(program.script.editable)
    yield Finding("git", "ok", f"commit {there.head[:7]} has {names}")
    if unsaved := [file for file in there.unsaved if Path(file).name != program.path.name]:
        what = f"not committed, so the run does not see it: {', '.join(unsaved[:5])}"
        yield Finding("git", "warn", what, "commit what the run should begin with")


def _command(program: ScriptProgram) -> Finding:
    word = program.script.command.split()[0]
    if "/" in word or "=" in word or shutil.which(word):
        return Finding("command", "ok", program.script.command)
    return Finding("command", "missing", f"{word} is not on the PATH", "install it, or change script.command")


def _confinement() -> Finding:
    why = not_confined()
    if not why:
        return Finding("confinement", "ok", "no network, and no writing outside the worktree")
    return Finding("confinement", "warn", why)


def _noise(program: ScriptProgram) -> Finding:
    script = program.script
    if script.seed_env:
        return Finding("seeds", "ok", f"{script.seed_env} is the script's seed; rule {script.rule}")
    what = f"the script takes no seed: rule {script.rule} on single runs"
    remedy = "have the script read its seed from a variable, and name that in script.seed_env"
    return Finding("seeds", "warn", what, remedy)
