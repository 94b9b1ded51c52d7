"""Looks at every screen again and again, each time with the next texts in each place: for a pseudo-terminal.

The places are the columns of the store, the name of the folder, and the person's own.

``python hostile_walk.py RUN GROUP PART PARTS`` draws as a dashboard does, and says at its end which screens it drew;
after all parts every place has had every text of the group.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hostile import PAYLOADS, poison, together
from textual.pilot import Pilot

from tui.app import Dashboard

KEYS = (
    *"4m5m3", *("enter", "G", "q"), *("question_mark", "q"), *"Zq", *"EGhhq", *("M", "c", "escape", "q"),
    *("A", "escape"), *"Tkkq", *"rGq", *("a", "escape"), *("u", "escape"), *("i", "escape"), *("x", "escape"),
    *("j", "j", "t", "escape"), *("j", "v", "escape"), *("j", "o", "escape"), *("c", "escape"), *"RGq",
    *("p", "escape"), *("z", "escape"), *("slash", "escape"), *("e", "escape"), *("ctrl+p", "escape"), *"sw",
    *("q", "escape"),
)  # fmt: skip
"""What opens each screen that shows text from outside, and closes it."""

SHORT = 5000
"""Characters; the pages take seconds to lay out what is longer in all places at once, so that is not turned here."""


async def intervene(*_: object) -> int:
    """Nothing that is pressed changes the run."""
    return 1


async def walk(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, Dashboard)
    while app.snapshot.run is None:
        await pilot.pause(0.01)
    for key in KEYS:
        await pilot.press(key)
        await pilot.pause()
    app.exit()


def main(run: Path, group: str, part: int, parts: int) -> None:
    texts = together([text for text in PAYLOADS[group] if len(text) < SHORT])
    with tempfile.TemporaryDirectory() as place:
        for turned in range(part, len(texts), parts):
            name = texts[turned][:50].translate({0: None, ord("/"): None})
            os.environ["LOGNAME"] = name
            folder = Path(shutil.copytree(run, Path(place) / f"{turned}{name}"))
            poison(folder, texts[turned:] + texts[:turned], rows=12)
            app = Dashboard(folder, intervene, owned=True, told=texts[turned])
            app.run(mouse=False, auto_pilot=walk)
            if app.broken_by:
                print(f"broken by turn {turned} of {group}:", ascii(app.broken_by)[:500])
                sys.exit(1)
            shutil.rmtree(folder)
    print("drew", *sorted(name for name in sys.modules if name.startswith("tui.screens.")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
