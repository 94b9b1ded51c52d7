"""The algebra of edits: what is applied can be taken back, put together and recognised; what does not fit says why."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lanes.script.edits import (
    Edit,
    EditRefused,
    Patch,
    Size,
    apply,
    compose,
    decode,
    difference,
    digest,
    invert,
    is_allowed,
    patch_of,
    size,
)

FILE = "import numpy\n\nRATE = 0.5\n\n\ndef step(x):\n    return x * RATE\n"

_LINE = st.text(alphabet="ab=( \t", max_size=5)


@st.composite
def texts_and_patches(draw: st.DrawFn) -> tuple[str, Patch]:
    """A file with line ends of one kind, and a patch that fits it."""
    text = "".join(f"{line}\n" for line in draw(st.lists(_LINE, min_size=1, max_size=8)))
    windows = draw(st.booleans())
    text = text.replace("\n", "\r\n") if windows else text
    if draw(st.booleans()):
        return text, Patch(whole=draw(st.text(alphabet="ab\n", max_size=12)))
    start = draw(st.integers(0, len(text) - 1))
    search = text[start : draw(st.integers(start + 1, len(text)))].replace("\r\n", "\n").replace("\r", "")
    return text, Patch((Edit(search, draw(st.text(alphabet="abc\n", max_size=6))),))


def _ends(text: str) -> tuple[bool, bool]:
    return "\r\n" in text, "\n" in text.replace("\r\n", "")


@given(texts_and_patches())
def test_what_was_applied_can_be_taken_back_to_the_last_byte(one: tuple[str, Patch]) -> None:
    text, patch = one
    try:
        made = apply(text, patch)
    except EditRefused:
        return  # it is ambiguous, or changes nothing
    assert made != text
    assert apply(made, invert(text, patch)) == text


@given(texts_and_patches(), st.text(alphabet="xyz\n", min_size=1, max_size=5))
def test_two_patches_put_together_do_what_they_do_one_after_the_other(one: tuple[str, Patch], more: str) -> None:
    text, first = one
    try:
        between = apply(text, first)
    except EditRefused:
        return
    then = Patch(whole=between + more)
    made = apply(between, then)
    assume(made != text and _ends(text) == _ends(between) == _ends(made))
    assert apply(text, compose(text, first, then)) == apply(between, then)
    assert patch_of(compose(text, first, then).as_json()) == compose(text, first, then)


@given(st.lists(st.text(alphabet="ab ", max_size=4), max_size=6), st.integers(0, 3), st.sampled_from(["", " ", "\t"]))
def test_blanks_at_line_ends_and_blank_lines_make_no_other_hash(lines: list[str], blank: int, end: str) -> None:
    text = "\n".join(lines)
    loose = ("\n" * (blank + 1)).join(f"{line}{end}" for line in lines) + "\n" * blank
    assert digest(text) == digest(loose) == digest(loose.replace("\n", "\r\n"))
    assert digest(text) != digest(f"{text}\nc")
    assert size(text, loose) == Size(0, 0)


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30))
def test_lines_that_came_minus_lines_that_went_is_the_difference_in_length(old: list[str], new: list[str]) -> None:
    found = size("\n".join(old), "\n".join(new))
    assert found.net == len(new) - len(old)
    assert found == Size(found.added, found.removed) and found.added <= len(new) and found.removed <= len(old)


def test_a_block_that_fits_once_is_replaced_and_measured() -> None:
    made = apply(FILE, Patch((Edit("RATE = 0.5\n", "RATE = 0.25\nMORE = 1\n"),)))
    assert made == FILE.replace("RATE = 0.5\n", "RATE = 0.25\nMORE = 1\n")
    assert size(FILE, made) == Size(added=2, removed=1)
    assert "+RATE = 0.25\n" in difference(FILE, made, "train.py")


def test_later_blocks_see_what_the_earlier_ones_have_left() -> None:
    patch = Patch((Edit("RATE = 0.5", "RATE = 0.1"), Edit("RATE = 0.1", "RATE = 0.2")))
    assert "RATE = 0.2" in apply(FILE, patch)


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_keeps_its_line_ends(whole: bool) -> None:
    windows = FILE.replace("\n", "\r\n")
    patch = Patch(whole=FILE.replace("0.5", "0.1")) if whole else Patch((Edit("RATE = 0.5\n\n", "RATE = 0.1\n\n"),))
    assert apply(windows, patch) == windows.replace("0.5", "0.1")


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (Patch((Edit("RATE = 5", "RATE = 1"),)), "is not in the file"),
        (Patch((Edit("  RATE = 0.5", "RATE = 1"),)), "indentation"),
        (Patch((Edit("RATE", "SPEED"),)), "more than once"),
        (Patch((Edit(" \n", "x"),)), "searches for nothing"),
        (Patch((Edit("RATE = 0.5", "RATE = 0.5"),)), "by itself"),
        (Patch((Edit("0.5", "0.1"), Edit("0.1", "0.5"))), "nothing changes"),
        (Patch(whole=FILE), "nothing changes"),
        (Patch(whole="x" * (1 << 20) + "y"), "bytes"),
        (Patch(whole="half \ud800"), "UTF-8"),
        (Patch(whole="a\0b"), "NUL"),
    ],
)
def test_a_patch_that_does_not_fit_says_why(patch: Patch, reason: str) -> None:
    with pytest.raises(EditRefused, match=reason):
        apply(FILE, patch)


@pytest.mark.parametrize(
    "new",
    [
        None, "text", {}, {"edits": []}, {"edits": [{"search": "a"}]}, {"edits": [{"search": "a", "replace": 1}]},
        {"edits": [{"search": "a", "replace": "b", "file": "prepare.py"}]}, {"whole": None},
        {"whole": "a", "edits": []}, {"edits": [{"search": "a", "replace": "b"}] * 101},
    ],
)  # fmt: skip
def test_what_is_no_patch_is_refused(new: object) -> None:
    with pytest.raises(EditRefused):
        patch_of(new)


def test_bytes_that_are_no_text_are_refused_by_name() -> None:
    with pytest.raises(EditRefused, match=r"train\.py is not UTF-8"):
        decode(b"\xff\xfe", "train.py")


@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        ("train.py", True), ("sub/model.py", True), ("deep/a/b/c.toml", True), ("deep/c.toml", True),
        ("other/train.py", False), ("prepare.py", False), ("sub/a/model.py", False), ("../train.py", False),
        ("/train.py", False), ("./train.py", False), ("sub//model.py", False), ("deep/.git/c.toml", False),
        ("deep/../c.toml", False), ("deep/.GIT/c.toml", False), ("", False),
    ],
)  # fmt: skip
def test_only_the_files_that_the_program_names_may_be_edited(file: str, allowed: bool) -> None:
    assert is_allowed(file, ("train.py", "sub/*.py", "deep/**/*.toml")) is allowed
