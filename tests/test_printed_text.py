"""Hostile text in whatever a command prints: no byte that reaches the terminal is an order to it."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_runs import write_agent_run
from hostile import PAYLOADS, poison
from terminal import Terminal

from tui.main import main, parser

BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

NAME = "a\x1b]0;owned\x07\x9b2Jb\u202e[red]%s"
"""Of a folder, a file, an argument."""

PRINTED: dict[str, tuple[str, ...]] = {
    "dashboard": ("{name}",),
    "run": ("--headless", "{broken}"),
    "attach": ("{folder}",),
    "status": ("{folder}",),
    "status --json": ("{folder}",),
    "results": ("{folder}",),
    "results --json": ("{folder}",),
    "report": ("{folder}",),
    "report --md": ("{folder}",),
    "report --html": ("{folder}",),
    "init": ("{name}",),
    "doctor": ("{folder}",),
    "demo": ("{file}",),
    "judge calibrate": ("{broken}",),
    "judge status": ("{broken}",),
    "promote": ("{folder}",),
    "promote --check": ("{folder}",),
    "demote": ("{folder}",),
    "arena serve": ("{broken}",),
    "arena invite": ("{name}", "{folder}"),
    "arena voters": ("{folder}",),
    "arena exclude": ("{name}", "{folder}"),
    "arena readmit": ("{name}", "{folder}"),
    "votes analyze": ("{votes}",),
    "votes analyze --json": ("{votes}",),
    "votes simulate": ("{name}=1", "b\x1b[2Jc=2", "--votes", "9", "--voters", "3"),
    "replay": ("{log}", "--metric", "m", "--direction", "max"),
    "replay --json": ("{log}", "--metric", "m", "--direction", "max"),
    "screenshot": ("{folder}", "--screen", "{name}", "-o", "x.svg"),
}
"""What can be asked for that prints, with all its forms: each gets a folder, a file, a word that is hostile."""

OTHERS = (
    ("{name}",), ("status", "{file}"), ("status", "{folder}", "{name}"), ("init", "study", "{file}"),
    ("init", "{name}"), ("votes", "analyze", "{file}"), ("votes", "{name}"), ("votes", "simulate", "{name}", "b=1"),
    ("replay", "{file}", "--metric", "{name}", "--direction", "max"), ("report", "{folder}", "-o", "{file}/x"),
    ("replay", "{log}", "--metric", "{name}", "--direction", "min"), ("screenshot", "{folder}", "-o", "{name}"),
    ("screenshot", "{folder}", "--theme", "{name}", "-o", "x.svg"),
)  # fmt: skip
"""Errors of the command line and of files."""


FORMS = {"--json", "--md", "--html", "--check"}
"""Options that have a command print something else."""


def steps(grammar: argparse.ArgumentParser) -> Iterator[str]:
    """Everything that can be asked for, ``judge status``, and its forms, ``status --json``."""
    groups = [one for one in grammar._actions if isinstance(one, argparse._SubParsersAction)]
    for name, below in (each for group in groups for each in group.choices.items()):
        within = list(steps(below)) or ["", *FORMS.intersection(below._option_string_actions)]
        yield from (f"{name} {each}".strip() for each in within)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("printed") / "run"
    write_agent_run(folder, 6)
    return folder


@pytest.fixture
def places(written: Path, tmp_path: Path) -> dict[str, str]:
    """What the arguments stand for; all of one group of texts at a time is put in by ``hostile_places``."""
    folder = tmp_path / NAME
    shutil.copytree(written, folder / "run")
    broken = tmp_path / f"broken {NAME}"
    broken.mkdir()
    file = tmp_path / f"file {NAME}"
    file.write_text("x")
    votes, log = tmp_path / f"votes {NAME}.csv", tmp_path / f"log {NAME}.jsonl"
    return {"folder": str(folder), "broken": str(broken), "file": str(file), "votes": str(votes), "log": str(log),
            "name": NAME}  # fmt: skip


def fill(places: dict[str, str], payloads: list[str]) -> None:
    """Put the texts into everything that the commands read."""
    poison(Path(places["folder"]) / "run", payloads)
    short = [text for text in payloads if len(text) < 5000]
    field = short[0].replace("\n", " ")
    (Path(places["broken"]) / "program.md").write_text(
        f"---\n{field}: 1\nagent: {json.dumps(short)}\n---\n{short[-1]}\n"
    )
    shutil.copy(Path(places["broken"]) / "program.md", places["folder"])
    models = short[:: len(short) // 10 + 1]  # a ranking of many takes long
    rows = [
        f"{json.dumps(models[place % len(models)])},b,{('model_a', text)[place % 7 == 0]},{text},p"
        for place, text in enumerate(short)
    ]
    Path(places["votes"]).write_bytes("\n".join(["model_a,model_b,winner,voter,prompt", *rows, "a,b,tie,v,p"]).encode())
    runs = [
        {"run": n, "metric": n / 9, "m": n / 9, "status": "keep", "description": text} for n, text in enumerate(short)
    ]
    half = '{"run": 999, "m": 0.5, "metric": 0.5, "status": "\\ud83d", "description": "\\ud83d\\u001b[2J"}'
    head = json.dumps({"type": "config", "name": short[1], "metricName": "m"})
    Path(places["log"]).write_text("\n".join([head, *map(json.dumps, runs), half, *short]))


def filled(arguments: tuple[str, ...], places: dict[str, str]) -> list[str]:
    return [argument.format_map(places) if "{" in argument else argument for argument in arguments]


def every(places: dict[str, str]) -> Iterator[list[str]]:
    for step, arguments in PRINTED.items():
        yield [*step.split(), *filled(arguments, places)]
    for arguments in OTHERS:
        yield filled(arguments, places)


def orders(text: str) -> set[str]:
    """What a terminal would take for more than letters."""
    controls = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs")} - set("\n\t")
    return controls | set(BIDIRECTIONAL.findall(text))


def test_every_command_and_form_is_among_the_places() -> None:
    assert set(steps(parser())) == set(PRINTED)


def test_no_command_prints_an_order(
    places: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    fill(places, PAYLOADS["orders"][::5])
    told = dict[str, set[str]]()
    for asked in every(places):
        with contextlib.suppress(SystemExit):  # the command line is wrong, which is said
            main(asked)
        said = capsys.readouterr()
        assert said.out + said.err, f"{asked} prints nothing"
        assert "Traceback" not in said.err
        if found := orders(said.out + said.err):
            told[" ".join(asked[:2])] = found
    assert not told


PROGRAM = """
import contextlib, json, sys
from pathlib import Path
from tui.main import main

for asked in json.loads(Path(sys.argv[1]).read_text()):
    with contextlib.suppress(SystemExit):
        main(asked)
print("all were asked for")
"""

SCREENS = ("dashboard", "attach", "init", NAME)
"""What a terminal opens a screen for, or asks a person: not printed."""


@pytest.mark.slow
@pytest.mark.parametrize("group", PAYLOADS)
def test_no_byte_of_a_command_is_an_order_to_a_terminal(places: dict[str, str], group: str, tmp_path: Path) -> None:
    fill(places, [text for text in PAYLOADS[group] if len(text) < 20_000])  # the tests' terminal takes long for more
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps([each for each in every(places) if each[0] not in SCREENS]))
    terminal = Terminal([sys.executable, "-c", PROGRAM, str(asked)])
    try:
        terminal.until("all were asked for", seconds=40)
        text = terminal.sent.decode().replace("\r\n", "\n")
    finally:
        terminal.child.close(force=True)
    assert not orders(text) and "Traceback" not in text
