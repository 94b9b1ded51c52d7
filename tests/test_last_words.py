"""The last words of a process are words: no frame that Python draws around an error."""

from __future__ import annotations

from pathlib import Path

from lanes.tail import last_words


def test_the_frame_around_a_group_of_errors_is_no_last_word(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("  | Traceback\n    | KeyError: 'room'\n    +------------------------------------\n\n")
    assert last_words(log) == "KeyError: 'room'"
