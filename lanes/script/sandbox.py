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
from typing import IO

PROGRAM = "lanes.script.confine"

_PROBE_SECONDS = 20.0

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
    """What does not work, and why, in one line; empty where both do."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What is taken from a command."""

    network: bool = True
    files: bool = True
    write: tuple[Path, ...] = ()
    """What it may write nevertheless."""

    hidden: tuple[Path, ...] = ()
    """What it may not read."""


FREE = Rights(network=False, files=False)
"""Nothing is taken."""


class NotConfined(Exception):
    """The command was not run, for its rights could not be taken or it could not be started; the message says why."""


def start(
    argv: Sequence[str], place: Path, env: Mapping[str, str], rights: Rights, output: int | IO[bytes],
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:  # fmt: skip
    """Start a command in a session of its own; it ends when the thread that has started it does.

    Args:
        argv: The command.
        place: Folder that it is run in.
        env: Its whole environment.
        rights: What is taken from it.
        output: Where what it says goes, complaints too.
        keep: Open files that it inherits.

    Raises:
        NotConfined: It was not run.
    """
    hear, say = os.pipe()
    told = {
        "argv": list(argv), "place": str(place), "env": dict(env), "network": rights.network, "files": rights.files,
        "write": [str(path) for path in rights.write], "hidden": [str(path) for path in rights.hidden],
        "say": say, "parent": os.getpid(),
    }  # fmt: skip
    with os.fdopen(hear, "rb") as words:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROGRAM], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                env=_with_packages(), start_new_session=True, pass_fds=(say, *keep),
            )  # fmt: skip
        finally:
            os.close(say)
        assert process.stdin is not None
        with process.stdin as told_to:
            told_to.write(json.dumps(told).encode())
        problem = words.read().decode(errors="replace")
    if problem:
        process.wait()
        raise NotConfined(problem)
    return process


async def available() -> Confinement:
    """What works on this machine, by doing it. Takes a tenth of a second."""
    network, files = await asyncio.gather(
        asyncio.to_thread(_problem, Rights(files=False)),
        asyncio.to_thread(_problem, Rights(network=False, hidden=secrets(Path.home()))),
    )
    found = [f"{what}: {why}" for what, why in (("no network", network), ("no writing elsewhere", files)) if why]
    return Confinement(not network, not files, "; ".join(found))


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
        process = start(["/bin/sh", "-c", ":"], Path("/"), {"PATH": os.defpath}, rights, subprocess.DEVNULL)
    except (NotConfined, OSError) as error:
        return str(error)
    try:
        return "" if process.wait(_PROBE_SECONDS) == 0 else f"a command ends with exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        return "a command does not end"


def _with_packages() -> dict[str, str]:
    """This process's environment, with which the packages of this project are found."""
    packages = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([packages, path] if path else [packages])}
