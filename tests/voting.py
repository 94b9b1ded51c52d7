"""The arena's real service and its voting page in a browser, for tests: start, kill, open, look, hear what it says."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect
from test_voters import LINEUP, pair

from checkpoints.artifacts import write_json
from lanes.arena.ballots import Ballot, Pair
from lanes.arena.ledger import Ledger
from lanes.arena.service import LOOK_SECONDS
from lanes.order import ORDER, RESULT
from lanes.worker import Worker

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

expect.set_options(timeout=20_000)

SETTLED = 450
"""ms after which the page takes a press for meant."""

CONTRAST = """() => {
  const light = (value) => value.map((part) => part / 255).map((part) => part <= .04045 ? part / 12.92
    : ((part + .055) / 1.055) ** 2.4).reduce((sum, part, place) => sum + part * [.2126, .7152, .0722][place], 0);
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const [red, green, blue, alpha = 1] = colour(getComputedStyle(node).backgroundColor);
      if (alpha === 1) return [red, green, blue];
    }
    throw new Error("there is no ground");
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.matches("script, noscript *")) continue;
    const [a, b] = [colour(getComputedStyle(node).color).slice(0, 3), ground(node)].map(light).sort((x, y) => y - x);
    found.push([(a + .05) / (b + .05), texts.currentNode.data.trim().slice(0, 30)]);
  }
  return found;
}"""


class Arena:
    """The real service on a port that it keeps when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        write_json(folder / ORDER, {"port": int(self.address.rpartition(":")[2])})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self.folder / RESULT).unlink(missing_ok=True)
        command = [sys.executable, "-m", "lanes.arena.serve", str(self.folder / ORDER)]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
        until = time.monotonic() + 60
        while Worker(self.folder).result() is None:
            assert time.monotonic() < until and self._process.poll() is None
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def put(self, *pairs: Pair, **fields: object) -> None:
        """These are the open pairs from now on, and this is how they are shown."""
        with Ledger(self.folder) as ledger:
            ledger.close(1)
            ledger.add_pairs(pairs)
            ledger.set_lineup(LINEUP.model_copy(update={"votes_per_prompt": 99, "votes_per_voter": 20, **fields}))
        time.sleep(LOOK_SECONDS)

    def link(self, voter: str) -> str:
        with Ledger(self.folder) as ledger:
            return f"{self.address}/#{ledger.invite([voter])[voter]}"

    def ballots(self, voter: str) -> list[Ballot]:
        with Ledger(self.folder) as ledger:
            return [one for one in ledger.ballots(0, 1000) if one.voter == voter]


def watch(context: BrowserContext, wrong: list[str]) -> None:
    def look(page: Page) -> None:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and wrong.append(line.text))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))

    context.on("page", look)


def opened(context: BrowserContext, link: str) -> Page:
    page = context.new_page()
    page.goto(link)
    expect(page.locator("#pair")).to_be_visible()
    page.wait_for_timeout(SETTLED)
    return page


def said(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(text)
    page.wait_for_timeout(SETTLED)


def fresh(name: str, many: int) -> list[Pair]:
    return [replace(pair(number), id=f"{name}-{number}") for number in range(many)]


def readable(page: Page) -> None:
    """WCAG AA: 4.5 to 1 for all text."""
    found = page.evaluate(CONTRAST)
    assert len(found) >= 4
    assert not [each for each in found if each[0] < 4.5]
