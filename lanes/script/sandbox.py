"""Starts a command with less rights than the person has: no network, no writing elsewhere, no secrets to read."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lanes.worker import MARK

PROGRAM = "lanes.script.confine"

_PROBE_SECONDS = 20.0

_OF_AN_INTERPRETER = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV")

SECRETS = (
    ".anthropic", ".aws", ".azure", ".bash_history", ".bash_profile", ".bashrc", ".boto", ".cache/huggingface/token",
    ".cache/huggingface/stored_tokens", ".cargo/credentials", ".cargo/credentials.toml", ".config/anthropic",
    ".config/chromium", ".config/environment.d", ".config/fish", ".config/gcloud", ".config/gh",
    ".config/git/credentials", ".config/google-chrome", ".config/hub", ".config/kaggle", ".config/op",
    ".config/openai", ".config/pip", ".config/rclone", ".config/wandb", ".databrickscfg", ".docker", ".env", ".envrc",
    ".git-credentials", ".gnupg", ".huggingface", ".kaggle", ".kube", ".local/share/keyrings", ".modal.toml",
    ".mozilla", ".netrc", ".npmrc", ".oci", ".pam_environment", ".password-store", ".pgpass", ".pip", ".profile",
    ".psql_history", ".pypirc", ".python_history", ".s3cfg", ".ssh", ".terraform.d", ".vault-token", ".viminfo",
    ".zprofile", ".zsh_history", ".zshenv", ".zshrc",
)  # fmt: skip
"""Where people keep what nobody else may know, below their home; shells' settings, too, where keys are exported."""

OF_THE_MACHINE = (
    "/etc/gshadow", "/etc/kubernetes", "/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/etc/sudoers", "/etc/sudoers.d",
    "/run/secrets", "/var/run/secrets",
)  # fmt: skip
"""The same of the machine or the container, which a script could read that is run by root."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the kernel lets be taken from a command."""

    network: bool
    """Whether it can be run without network."""

    files: bool
    """Whether it can be kept from writing, and from reading what is hidden."""

    why: str
    """What of these does not work, and why, in one line; empty where both do."""

    processes: bool = False
    """Whether it can be kept from seeing and signalling processes that are not its own."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What is taken from a command."""

    network: bool = True
    files: bool = True
    write: tuple[Path, ...] = ()
    """What it may write nevertheless."""

    hidden: tuple[Path, ...] = ()
    """What it may not read."""

    processes: bool = False
    """Whether it has no processes but its own; only together with ``network``."""

    sealed: tuple[Path, ...] = ()
    """Folders below what it may write that stay as they are; only together with ``network`` and ``files``."""


FREE = Rights(network=False, files=False)
"""Nothing is taken."""


class NotConfined(Exception):
    """The command was not run, for its rights could not be taken or it could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Started:
    """A command that is being run."""

    keeper: subprocess.Popen[bytes]
    """Ends with it; see ``lanes.script.keeper``."""

    report: int
    """Open file from which how it ended is read; closed by ``ended``."""

    def ended(self) -> Ended:
        """How it ended; once, after the keeper has."""
        status = self.keeper.wait()
        with os.fdopen(self.report, "rb", buffering=0) as said:
            os.set_blocking(self.report, False)  # what the kernel is slow to end has it open
            found: dict[str, Any] = json.loads(said.read() or b"{}")
        return Ended(found.get("status", status), tuple(found.get("left", ())))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    """Exit status; below 0 the signal that ended it."""

    left: tuple[str, ...]
    """Names of what went on after it and was ended with it, as far as that is known."""


def start(
    argv: Sequence[str], place: Path, env: Mapping[str, str], rights: Rights, output: int | IO[bytes],
    keep: Sequence[int] = (),
) -> Started:  # fmt: skip
    """Start a command in a session of its own; it ends when the thread that has started it does.

    Args:
        argv: The command.
        place: Folder that it is run in.
        env: Its whole environment.
        rights: What is taken from it.
        output: Where what it says goes, complaints too.
        keep: Open files that stay open until all of it is gone, and that it does not inherit.

    Raises:
        NotConfined: It was not run.
    """
    hear, say = os.pipe()
    heard, report = os.pipe()
    told = {
        "argv": list(argv), "place": str(place), "env": dict(env), "network": rights.network, "files": rights.files,
        "write": [str(path) for path in rights.write], "hidden": [str(path) for path in rights.hidden],
        "sealed": [str(path) for path in rights.sealed],
        "processes": rights.processes, "say": say, "report": report, "keep": list(keep), "parent": os.getpid(),
    }  # fmt: skip
    with os.fdopen(hear, "rb") as words:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROGRAM], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                env=_of_a_keeper(env), start_new_session=True, pass_fds=(say, report, *keep),
            )  # fmt: skip
        except OSError:
            os.close(heard)
            raise
        finally:
            os.close(say)
            os.close(report)
        assert process.stdin is not None
        with process.stdin as told_to:
            told_to.write(json.dumps(told).encode())
        problem = words.read().decode(errors="replace")
    started = Started(process, heard)
    if problem:
        started.ended()
        raise NotConfined(problem)
    return started


async def available() -> Confinement:
    """What works on this machine, by doing it. Takes a tenth of a second."""
    processes, files = await asyncio.gather(
        asyncio.to_thread(_problem, Rights(files=False, processes=True)),
        asyncio.to_thread(_problem, Rights(network=False, hidden=secrets(Path.home()))),
    )
    network = processes and await asyncio.to_thread(_problem, Rights(files=False))
    found = [f"{what}: {why}" for what, why in (("no network", network), ("no writing elsewhere", files)) if why]
    return Confinement(not network, not files, "; ".join(found), not processes)


def secrets(home: Path) -> tuple[Path, ...]:
    """What is never read, as far as it is there."""
    return tuple(path for path in (*(home / name for name in SECRETS), *map(Path, OF_THE_MACHINE)) if _is_there(path))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that nobody here may enter
        return False


def _problem(rights: Rights) -> str:
    """Why a command cannot be run so; empty where it can."""
    try:
        started = start(["/bin/sh", "-c", ":"], Path("/"), {"PATH": os.defpath}, rights, subprocess.DEVNULL)
    except (NotConfined, OSError) as error:
        return str(error)
    try:
        started.keeper.wait(_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        started.keeper.kill()
        return "a command does not end"
    status = started.ended().status
    return f"a command ends with exit status {status}" if status else ""


def _of_a_keeper(env: Mapping[str, str]) -> dict[str, str]:
    """What a keeper needs to find the packages of this project, and the mark of its family: it has no keys to lose."""
    packages = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH", "")
    own = {name: os.environ[name] for name in _OF_AN_INTERPRETER if name in os.environ}
    mark = {MARK: env[MARK]} if MARK in env else {}
    return own | mark | {"PYTHONPATH": os.pathsep.join([packages, path] if path else [packages])}
