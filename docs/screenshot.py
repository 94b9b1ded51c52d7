"""A picture of the dashboard, made by the dashboard: ``python docs/screenshot.py FOLDER [PICTURE]``.

Shows the run in FOLDER as `autoresearch-tui attach` does, in 120 columns and 40 rows, and writes the screen as SVG. The
picture fetches nothing: where its fonts are missing, the reader's own monospaced one takes their place.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from checkpoints.records import Json, Step
from tui.app import Dashboard

SIZE = (120, 40)
FONTS = "Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


async def picture(run_folder: Path) -> str:
    """The dashboard of a run as SVG, when all of it has been drawn."""

    async def intervene(step: Step, experiment: int | None, reason: str, detail: Json) -> int:
        raise NotImplementedError("a picture asks for nothing")

    app = Dashboard(run_folder, intervene, owned=False)
    async with app.run_test(size=SIZE) as pilot:
        while app.snapshot.run is None or "┤" not in app.export_screenshot():
            await pilot.pause(0.2)
        await pilot.pause(1)
        return app.export_screenshot(title="autoresearch-tui")


def at_home_anywhere(svg: str) -> str:
    """Without fonts from elsewhere, and with spaces that stay."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-size: 20px;", "font-size: 20.25px;")  # Menlo's and DejaVu's cells are a hair narrower
    svg = re.sub(r"font-family: (Fira Code, monospace|arial);", f"font-family: {FONTS};", svg)
    return svg.replace("<text ", '<text xml:space="preserve" ')


if __name__ == "__main__":
    folder = Path(sys.argv[1]) / "run"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("dashboard.svg")
    target.write_text(at_home_anywhere(asyncio.run(picture(folder))), encoding="utf-8")
