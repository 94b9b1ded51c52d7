"""The flywheel: users' votes on the deployed models' answers as training rows, with consent, once each.

A row says which models wrote it. Held-out prompts never become rows, whoever asked them, and which ballots a training
sees is fixed when it is ordered, so that its child differs from it by one change and not by a day's more votes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from checkpoints.artifacts import write_text
from checkpoints.records import Json
from lanes.arena.schema import LEDGER
from lanes.order import HeldOut, Message, Source
from lanes.rows import Broken, exposed_keys, parsed_pair, prompt_key, read_pairs, read_prompts

FROM_ARENA = "arena"
"""The path of a data source whose rows are users' votes."""

FEWEST = 20
"""Rows below which there is nothing to learn from, so that no experiment may ask for them."""

_PREFERRED = """
SELECT battles.messages, battles.model_a, battles.model_b, battles.answer_a, battles.answer_b,
    sum(choice != 'tie' AND iif(choice = 'a', ballots.model_a, ballots.model_b) = battles.model_a) AS first,
    sum(choice != 'tie' AND iif(choice = 'a', ballots.model_a, ballots.model_b) = battles.model_b) AS second,
    max(ballots.simulated)
FROM ballots JOIN battles ON battles.id = ballots.battle
WHERE ballots.seq <= ? AND battles.source = 'product' AND battles.consent AND ballots.consent
    AND ballots.voter NOT IN (SELECT value FROM json_each(?))
GROUP BY battles.id HAVING first != second
ORDER BY min(ballots.seq)
"""


class OnPolicy(Message):
    """What one training sees of the votes, in its order."""

    file: Path
    """Where its rows are written."""

    ballots: int
    """Number of the last ballot that it sees."""

    excluded: tuple[str, ...] = ()
    """Voters whose votes it does not see."""

    @property
    def source(self) -> Source:
        """The rows as a data source."""
        return Source(path=str(self.file))


def last_ballot(run_folder: Path) -> int:
    """Number of the last ballot by now; 0 where nobody has voted."""
    return next((number for (number,) in _asked(run_folder, "SELECT coalesce(max(seq), 0) FROM ballots")), 0)


def rows(run_folder: Path, ballots: int, excluded: Collection[str], heldout: HeldOut) -> Iterator[Json]:
    """Preference rows, in the order in which their battles were first voted on.

    A row is an object with ``prompt`` (messages), ``chosen`` and ``rejected`` (texts), ``score_chosen`` and
    ``score_rejected`` (voters for each), ``chosen_model``, ``rejected_model`` and ``simulated``. The chosen half alone
    serves supervised fine-tuning. Battles without a majority are left out, the same prompt with the same answers comes
    once, and a prompt that is held out does not come at all.

    Args:
        run_folder: With the arena's ledger.
        ballots: Number of the last ballot that counts.
        excluded: Voters whose ballots do not.
        heldout: Rows that may never be trained on.

    Raises:
        DataError: The held-out rows cannot be read.
    """
    forbidden, seen = _forbidden(heldout), set[str]()
    for found in _asked(run_folder, _PREFERRED, ballots, json.dumps(list(excluded))):
        row = _row(*found)
        example = parsed_pair(row)
        if example is None or example.key in seen or not forbidden.isdisjoint(exposed_keys(example)):
            continue
        seen.add(example.key)
        yield row


def count(run_folder: Path, excluded: Collection[str], heldout: HeldOut) -> int:
    """How many rows there are by now; reads them all, so not in an event loop."""
    return sum(1 for _ in rows(run_folder, last_ballot(run_folder), excluded, heldout))


def write(run_folder: Path, votes: OnPolicy, heldout: HeldOut) -> int:
    """Write the rows of a training into its file, whole or not at all; one that is there stays. Returns the rows.

    Raises:
        DataError: The held-out rows cannot be read.
        OSError: The file cannot be written.
    """
    if not votes.file.exists():
        votes.file.parent.mkdir(parents=True, exist_ok=True)
        found = rows(run_folder, votes.ballots, votes.excluded, heldout)
        write_text(votes.file, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in found))
    with votes.file.open("rb") as lines:
        return sum(1 for _ in lines)


def is_asked_for(source: Source) -> bool:
    """Whether a data source is the arena's votes."""
    return source.path == FROM_ARENA


def _row(
    messages: str, model_a: str, model_b: str, answer_a: str, answer_b: str, first: int, second: int, simulated: int
) -> Json:
    a_wins = first > second
    return {
        "prompt": json.loads(messages),
        "chosen": answer_a if a_wins else answer_b,
        "rejected": answer_b if a_wins else answer_a,
        "score_chosen": max(first, second),
        "score_rejected": min(first, second),
        "chosen_model": model_a if a_wins else model_b,
        "rejected_model": model_b if a_wins else model_a,
        "simulated": bool(simulated),
    }


def _forbidden(heldout: HeldOut) -> frozenset[str]:
    broken = Broken(10**9)
    pairs = [pair for source in (heldout.pairs, heldout.locked) if source for pair in read_pairs(source, broken)]
    prompts = read_prompts(heldout.prompts, broken) if heldout.prompts else []
    return frozenset({prompt_key(pair.prompt) for pair in pairs} | {prompt_key(each.prompt) for each in prompts})


def _asked(run_folder: Path, statement: str, *values: object) -> Generator[Any]:
    """The ledger's answer, row by row; nothing where nobody has voted yet."""
    path = run_folder / "arena" / LEDGER
    if not path.exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as ledger:
        yield from ledger.execute(statement, values)
