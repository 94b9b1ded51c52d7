"""The doctor: what a run needs, what is there, what is missing and what to do. Downloads nothing, imports no torch."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import psutil

from checkpoints.copies import copies
from checkpoints.ownership import LOCK, RUN
from checkpoints.reader import DATABASE
from checkpoints.remains import remains
from runner.doctor_agent import examine_agent
from runner.doctor_arena import examine_votes
from runner.doctor_program import examine_program
from runner.doctor_script import examine_script
from runner.findings import Finding, healthy, render
from runner.program import FILE
from runner.program_error import ProgramError
from runner.programs import read_program
from runner.script.program import ScriptProgram

__all__ = ["Finding", "examine", "healthy", "program_of", "render", "run_in"]

PYTHON = (3, 11)
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "textual")

DISK = 2 * 2**30
MEMORY = 3 * 2**30
"""Bytes. Trainer, standby and model server each hold torch, about 0.6 GiB, before any model."""

GPU_QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
GPU_SECONDS = 10.0


def examine(folder: Path) -> list[Finding]:
    """Look at this machine and at the program in a folder.

    Args:
        folder: of the program; the run will be there, too.
    """
    return [
        _python(),
        *(_package(name) for name in PACKAGES),
        _gpu(),
        _processor(),
        _memory(),
        _disk(folder),
        _writable(folder),
        _port(),
        _terminal(),
        *_program(folder),
    ]


def run_in(folder: Path) -> Path | None:
    """The run of a program's folder, or the run folder itself, also where its store is gone."""
    return next((each for each in (folder / RUN, folder) if _was_run(each)), None)


def _was_run(folder: Path) -> bool:
    left = (folder / LOCK).exists() and remains(folder / DATABASE)  # other folders have artifacts, too
    return (folder / DATABASE).exists() or bool(copies(folder) or left)


def program_of(folder: Path) -> Path:
    """The folder of the program: the one around it where it is a run's."""
    return folder.absolute().parent if run_in(folder) == folder and not (folder / FILE).exists() else folder


def _python() -> Finding:
    what = f"Python {sys.version.split()[0]}"
    if sys.version_info >= PYTHON:
        return Finding("python", "ok", what)
    return Finding("python", "missing", what, f"install Python {'.'.join(map(str, PYTHON))} or newer")


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", "not installed", "pip install autoresearch-tui brings it")


def _gpu() -> Finding:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Finding("gpu", "warn", "no GPU: training on the CPU", "fine for the demo; larger models need one")
    try:
        asked = subprocess.run([command, *GPU_QUERY], capture_output=True, text=True, timeout=GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("gpu", "warn", f"nvidia-smi does not answer: {error}", "look after the driver")
    return Finding("gpu", "ok", "; ".join(asked.stdout.splitlines()) or "none listed")


def _processor() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if usable >= 2:
        return Finding("cpu", "ok", f"{usable} cores")
    return Finding("cpu", "warn", "1 core", "the lanes will share it: training and answering take turns")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    what = f"{_size(memory.available)} free of {_size(memory.total)}"
    if memory.available >= MEMORY:
        return Finding("memory", "ok", what)
    return Finding("memory", "warn", what, f"{_size(MEMORY)} are comfortable; train.standby: false saves some")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    if free >= DISK:
        return Finding("disk", "ok", f"{_size(free)} free")
    return Finding("disk", "warn", f"{_size(free)} free", f"make room: {_size(DISK)} are comfortable")


def _writable(folder: Path) -> Finding:
    existing = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            return Finding("folder", "ok", f"{existing} can be written")
    except OSError as error:
        remedy = "choose a folder of your own, or change its permissions"
        return Finding("folder", "missing", f"{existing} cannot be written: {error.strerror}", remedy)


def _port() -> Finding:
    """The model server listens on a free port of the loopback interface."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return Finding("port", "ok", f"127.0.0.1 has free ports ({server.getsockname()[1]} for example)")
    except OSError as error:
        return Finding("port", "missing", f"no port on 127.0.0.1: {error.strerror}", "allow listening on the loopback")


def _terminal() -> Finding:
    encoding = (sys.stdout.encoding or "").lower()
    name = os.environ.get("TERM", "")
    if not sys.stdout.isatty():
        return Finding("terminal", "ok", "none: runs go headless, one line an event")
    if encoding not in {"utf-8", "utf8"}:
        remedy = "export LANG=C.UTF-8; without it plots are drawn in ASCII"
        return Finding("terminal", "warn", f"encoding {encoding or 'unknown'}", remedy)
    if name in {"", "dumb"}:
        return Finding("terminal", "warn", f"TERM is {name or 'not set'}", "export TERM=xterm-256color")
    width, height = shutil.get_terminal_size()
    return Finding("terminal", "ok", f"{name}, {width}×{height}, UTF-8")


def _program(folder: Path) -> list[Finding]:
    try:
        program = read_program(folder / FILE)
    except ProgramError as error:
        return [Finding("program", "missing", problem) for problem in error.problems]
    if isinstance(program, ScriptProgram):
        found = Finding("program", "ok", f"{FILE} is valid: {program.name}, a script")
        return [found, *examine_script(program)]
    found = Finding("program", "ok", f"{FILE} is valid: {program.name}, {program.method}")
    return [found, *examine_program(program), *examine_votes(program), examine_agent(program.agent)]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
