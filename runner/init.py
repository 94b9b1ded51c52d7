"""Write a program to start from: the demo with its data, or a template with one's own model and data put in."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Literal, TypeAlias

from checkpoints import strokes
from checkpoints.artifacts import write_text
from checkpoints.records import Json
from runner.places import absolute, is_local
from runner.program import FILE, Program
from runner.score import Score, with_score

Name: TypeAlias = Literal["demo", "study", "online"]

SAMPLE_DATA = "sample_data"

PLACES: Mapping[Name, Mapping[str, str | Json]] = {
    "demo": {},
    "study": {
        "model": "HuggingFaceTB/SmolLM2-360M-Instruct",
        "pairs": "trl-lib/ultrafeedback_binarized",
        "heldout": {"path": "trl-lib/ultrafeedback_binarized", "split": "test"},
    },
    "online": {
        "model": "HuggingFaceTB/SmolLM2-360M-Instruct",
        "chats": "chats.jsonl",
        "prompts": "prompts.jsonl",
    },
}
"""What may be put into each template, with what stands there otherwise."""


class InitError(Exception):
    """Nothing was written; the text says what is in the way."""


def init(
    template: Name, folder: Path, places: Mapping[str, str] | None = None, score: Score | None = None
) -> list[Path]:
    """Write a program, and for the demo its data, into a folder; never over anything that is there.

    Args:
        template: which one.
        folder: made where it does not exist.
        places: hub ids, or local paths relative to the current folder, by the names that `PLACES` has for the template.
        score: what the checklist came to; its reason is written beside what judges.

    Returns:
        What was written.

    Raises:
        InitError: something is in the way, or a place does not fit the template or is not there.
    """
    text = _demo_text() if template == "demo" else _filled(template, folder, places or {})
    if template == "demo" and places:
        raise InitError(f"the demo brings its own model and data; it takes no --{next(iter(places))}")
    text = with_score(text, score) if score else text
    Program.parse(text, folder / FILE)
    must_be_free(folder / FILE, *([folder / SAMPLE_DATA] if template == "demo" else []))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [_copied(demo_folder() / SAMPLE_DATA, folder / SAMPLE_DATA)] if template == "demo" else []
        write_text(folder / FILE, text)
    except OSError as error:
        raise InitError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    return [folder / FILE, *written]


def must_be_free(*paths: Path) -> None:
    """Nothing is ever overwritten.

    Raises:
        InitError: one of the paths is in the way.
    """
    for path in paths:
        if path.exists() or path.is_symlink():
            raise InitError(f"{path} is in the way; nothing is overwritten. Move it away, or name another folder")


def demo_folder() -> Path:
    """Where the demo's program and sample data lie: in the installed package, or at the root of a checkout.

    Raises:
        InitError: this installation has neither.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "demo", here.parent):
        if (folder / FILE).is_file() and (folder / SAMPLE_DATA).is_dir():
            return folder
    raise InitError(f"the sample data is missing from this installation ({here / 'demo'}); install it again")


def _demo_text() -> str:
    return (demo_folder() / FILE).read_text(encoding="utf-8")


def _filled(template: Name, folder: Path, places: Mapping[str, str]) -> str:
    known = PLACES[template]
    for name in places:
        if name not in known:
            raise InitError(f"{template} takes no --{name}; it takes {', '.join(f'--{each}' for each in known)}")
    # One's own data beside somebody else's held-out rows would measure nothing.
    data = set(known) - {"model"}
    if missing := sorted(data - places.keys()) if data & places.keys() else []:
        raise InitError(f"{template} with one's own data needs --{missing[0]} too")
    chosen = {name: _from(place, folder) for name, place in places.items()}
    values = {name: json.dumps(place, ensure_ascii=False) for name, place in {**known, **chosen}.items()}
    text = (Path(__file__).resolve().parent / "templates" / f"{template}.md").read_text(encoding="utf-8")
    return Template(text).substitute(values, precision="bf16" if shutil.which("nvidia-smi") else "fp32")


def _from(place: str, folder: Path) -> str:
    """A place as a program in ``folder`` names it, given as the current folder names it."""
    if not is_local(place, Path.cwd()):
        return place
    path = Path(absolute(place, Path.cwd()))
    if not path.exists():
        raise InitError(f"{place} is not there; give a local path or a hub id")
    root = Path(absolute(str(folder), Path.cwd()))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _copied(source: Path, target: Path) -> Path:
    """Copy a folder so that the copy appears at once or not at all."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        whole = Path(scratch) / target.name
        shutil.copytree(source, whole, ignore=shutil.ignore_patterns("__pycache__"))
        strokes.put(whole, target)
    return target
