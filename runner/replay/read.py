"""Reads a file of any kind of record that is known."""

from __future__ import annotations

from pathlib import Path

from runner.replay.history import History, NoHistory
from runner.replay.pi_log import is_pi_log, read_pi_log
from runner.replay.tables import read_table

LARGEST = 200_000_000
"""Bytes of a file that is read."""


def read_history(path: Path, metric: str, higher_is_better: bool) -> History:
    """The record in a file.

    Args:
        path: A ``results.tsv``, or a pi-autoresearch log.
        metric: Name of the metric's column.
        higher_is_better: The metric's direction.

    Raises:
        NoHistory: It cannot be read, or is no record.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise NoHistory(f"{path} is larger than {LARGEST / 1e6:,.0f} MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NoHistory(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise NoHistory(f"{path}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise NoHistory(f"{path} is empty")
    try:
        return (read_pi_log if is_pi_log(text) else read_table)(text, metric, higher_is_better)
    except NoHistory as lacking:
        raise NoHistory(f"{path}: {lacking}") from None
