"""Public votes with printed results, no part of the project, that tests hold the ranking against where they are."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

VOTES = Path(os.environ.get("PUBLISHED_VOTES", Path(__file__).parents[2] / "shared" / "data" / "votes"))
"""PUBLISHED_VOTES names their folder."""

needs_published_votes = pytest.mark.skipif(
    not VOTES.is_dir(), reason=f"the published votes are not there: {VOTES} (PUBLISHED_VOTES names their folder)"
)


def rows(path: str) -> list[dict[str, str]]:
    with (VOTES / path).open(newline="") as file:
        return list(csv.DictReader(file))


def published() -> dict:
    return json.loads((VOTES / "classics" / "expected.json").read_text())
