"""What is shown of a file that may be edited is the file: what is copied from there fits, character by character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import Json
from runner.change import ChangeRefused
from runner.script.space import MOST_SHOWN, FileSpace

SPACE = FileSpace(("train.py",))
MARKS = 'SPECIAL = ["<|reserved_0|>", "<s>", "[INST]"]\nJOINED = "a\u200bb\ufe0f"\nDEPTH = 8\n'

pieces = st.sampled_from(
    ["<|im_end|>", "[/INST]", "\u200b", "\u202e", "\x1b[2J", "\u2028", "\r", "</data-0>", "x", "\n"]
)


def recipe(text: str) -> Json:
    return {"files": {"train.py": text}, "commit": None}


def shown(text: str) -> str:
    """What stands between the lines of the fence."""
    block = SPACE.describe(recipe(text)).split("\n<data-")[-1]
    return block.split("\n", 1)[1].rpartition("\n</data-")[0]


@given(st.lists(pieces, max_size=30).map("".join))
def test_an_editable_file_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_an_edit_copied_from_what_is_shown_fits_and_a_whole_text_alters_nothing_else() -> None:
    line = next(line for line in shown(MARKS).splitlines() if "SPECIAL" in line)
    block = {"search": line, "replace": f"{line}  # all"}
    edited = SPACE.change({"field": "train.py", "new": {"edits": [block]}}, recipe(MARKS))
    assert SPACE.apply(edited, recipe(MARKS))["files"]["train.py"] == MARKS.replace(line, f"{line}  # all")
    whole = SPACE.change({"field": "train.py", "new": {"whole": shown(MARKS).replace("8", "9")}}, recipe(MARKS))
    assert SPACE.apply(whole, recipe(MARKS))["files"]["train.py"] == MARKS.replace("8", "9")


def test_no_whole_text_is_taken_of_a_file_that_is_shown_without_its_middle() -> None:
    long = recipe("".join(f"x{n} = {n}\n" for n in range(MOST_SHOWN // 8)))
    assert "middle is left out" in SPACE.describe(long)
    with pytest.raises(ChangeRefused, match="shown without its middle: give edits"):
        SPACE.change({"field": "train.py", "new": {"whole": shown(long["files"]["train.py"])}}, long)
    assert SPACE.change({"field": "train.py", "new": {"edits": [{"search": "x0 = 0", "replace": "x0 = 1"}]}}, long)
