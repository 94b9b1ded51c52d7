"""Every commit, rename and removal of a file of the product can be counted and died at: it goes through one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEAM = ROOT / "checkpoints" / "strokes.py"

OF_PATHS = {"rename", "unlink", "hardlink_to"}
"""Methods that nothing else of ours has; ``replace`` is told from a text's by its one argument."""

OF_OS = {"rename", "renames", "replace", "remove", "unlink", "link", "symlink", "move"}


def elsewhere(source: str) -> Iterator[str]:
    """Calls in a source that rename, remove or commit by themselves, a line each."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
            if taken := OF_OS & {alias.name for alias in node.names}:
                yield f"line {node.lineno}: {', '.join(sorted(taken))} from {node.module}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, name = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and owner.id in ("os", "shutil"):
            if name in OF_OS:
                yield f"line {node.lineno}: {owner.id}.{name}"
        elif isinstance(owner, ast.Name) and owner.id == "strokes":
            continue
        elif name in OF_PATHS or (name, len(node.args)) in (("replace", 1), ("commit", 0)):
            yield f"line {node.lineno}: .{name}"
        elif name.startswith("execute") and _says_commit(node.args):
            yield f"line {node.lineno}: COMMIT"


def _says_commit(arguments: list[ast.expr]) -> bool:
    first = arguments[0] if arguments else None
    return (
        isinstance(first, ast.Constant)
        and isinstance(first.value, str)
        and first.value.lstrip().upper().startswith(("COMMIT", "END"))
    )


def test_each_stroke_of_the_product_goes_through_the_one_place_where_it_is_counted() -> None:
    found = [
        f"{path.relative_to(ROOT)} {line}"
        for floor in ("checkpoints", "lanes", "runner", "tui")
        for path in sorted((ROOT / floor).rglob("*.py"))
        if path != SEAM
        for line in elsewhere(path.read_text(encoding="utf-8"))
    ]
    assert not found, "use checkpoints.strokes: commit, put, take"


@pytest.mark.parametrize(
    "line",
    [
        "os.replace(a, b)", "os.rename(a, b)", "shutil.move(a, b)", "a.rename(b)", "a.replace(b)", "a.unlink()",
        "from os import replace", "db.execute('COMMIT')", "db.conn.commit()", "a.with_name('x').replace(b)",
    ],
)  # fmt: skip
def test_a_stroke_beside_that_place_is_found(line: str) -> None:
    assert list(elsewhere(line))


@pytest.mark.parametrize("line", ["text.replace('a', 'b')", "when.replace(tzinfo=UTC)", "replace(one, a=1)"])
def test_what_is_no_stroke_is_left_alone(line: str) -> None:
    assert not list(elsewhere(line))
