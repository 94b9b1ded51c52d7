"""Every commit, rename and removal of a file or folder can be counted and died at: it goes through one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEAM = ROOT / "checkpoints" / "strokes.py"

OF_PATHS = {"rename", "unlink", "hardlink_to", "rmdir"}
"""Methods that nothing else of ours has; ``replace`` is told from a text's by its one argument."""

OF_OS = {
    "rename", "renames", "replace", "remove", "unlink", "link", "symlink", "move", "rmtree", "rmdir", "removedirs",
}  # fmt: skip


def elsewhere(source: str) -> Iterator[str]:
    """What renames, removes or commits by itself in a source, called or handed on to be called, a line each."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
            if taken := OF_OS & {alias.name for alias in node.names}:
                yield f"line {node.lineno}: {', '.join(sorted(taken))} from {node.module}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("os", "shutil"):
            if node.attr in OF_OS:
                yield f"line {node.lineno}: {node.value.id}.{node.attr}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, name = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and owner.id in ("os", "shutil", "strokes"):
            continue
        if name in OF_PATHS or (name, len(node.args)) in (("replace", 1), ("commit", 0)):
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
    assert not found, "use checkpoints.strokes: commit, put, link, take, clear"


@pytest.mark.parametrize(
    "line",
    [
        "os.replace(a, b)", "os.rename(a, b)", "shutil.move(a, b)", "a.rename(b)", "a.replace(b)", "a.unlink()",
        "from os import replace", "db.execute('COMMIT')", "db.conn.commit()", "a.with_name('x').replace(b)",
        "shutil.rmtree(a)", "to_thread(shutil.rmtree, a)", "from shutil import rmtree", "a.rmdir()",
    ],
)  # fmt: skip
def test_a_stroke_beside_that_place_is_found(line: str) -> None:
    assert list(elsewhere(line))


@pytest.mark.parametrize("line", ["text.replace('a', 'b')", "when.replace(tzinfo=UTC)", "replace(one, a=1)"])
def test_what_is_no_stroke_is_left_alone(line: str) -> None:
    assert not list(elsewhere(line))
