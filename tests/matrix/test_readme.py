"""The table of the matrix names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
ROW = re.compile(r"^\| (?!what \||--- \|)")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
DEFINED = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


def test_each_row_of_the_matrix_names_tests_and_each_of_them_is_there() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if ROW.match(line)]
    assert len(rows) >= 40 and all(NAMED.search(row) for row in rows)
    named = set(NAMED.findall(text))
    assert text.count("::") == len(NAMED.findall(text)), "each is written as `file::test`"
    there = {file: set(DEFINED.findall((HERE.parent / file).read_text(encoding="utf-8"))) for file, _ in named}
    assert sorted(f"{file}::{name}" for file, name in named if name not in there[file]) == []
