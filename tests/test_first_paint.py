"""The first paint waits for nothing that it does not need: what is imported until then, in the program's real start."""

from __future__ import annotations

import sys
from pathlib import Path

from terminal import Terminal

from runner.init import init

UNTIL_THE_FIRST_PAINT = """
import os, sys
from tui.main import main
from tui.watch import Watcher

def painted(watcher):
    open(sys.argv[2], "w").write("\\n".join(sorted(sys.modules)))
    os._exit(7)

Watcher.start = painted
main([sys.argv[1]])
"""
"""The watcher starts when there is something on the screen; then this writes what was imported, and ends."""

LATER = {
    "torch", "transformers", "trl", "peft", "litellm", "datasets", "accelerate", "pandas", "scipy", "numpy",
    "plotext", "sqlite_utils", "pydantic", "watchdog", "starlette", "uvicorn", "httpx", "psutil",
}  # fmt: skip


def test_nothing_heavy_is_imported_before_the_first_paint(tmp_path: Path) -> None:
    init("demo", tmp_path / "demo")
    names = tmp_path / "modules"
    screen = Terminal([sys.executable, "-c", UNTIL_THE_FIRST_PAINT, str(tmp_path / "demo"), str(names)])
    assert screen.ended() == 7
    imported = set(names.read_text().splitlines())
    assert "tui.app" in imported and "tui.owner" in imported
    assert not LATER & imported
    assert not {name for name in imported if name.startswith("lanes.workers")}
    assert "runner.session" not in imported and not (tmp_path / "demo" / "run").exists()
