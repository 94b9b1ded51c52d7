"""What the arena must not lose: battles, ballots, voters and the lineup, in one SQLite file beside the run's store.

Both the service and the evaluate lane open it; a ballot is durable when ``add_ballots`` returns. The file outlives the
service, and the lane reads it by cursor.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from checkpoints import strokes
from lanes.arena import schema
from lanes.arena.ballots import Ballot, Exposure, Fate, Pair, Source, Taken, VoterFigures
from lanes.arena.figures import figures
from lanes.arena.rows import BALLOT, NEXT_PAIR, PAIR, ballot_row, pair_row
from lanes.arena.rows import ballot as ballot_of
from lanes.arena.rows import pair as pair_of
from lanes.arena.schema import LedgerError

if TYPE_CHECKING:
    from lanes.arena.lineup import Lineup

__all__ = ["Ballot", "Exposure", "Ledger", "LedgerError", "Pair", "Source", "Taken", "VoterFigures"]

TOKEN_BYTES = 32

_ADD_BALLOT = f"INSERT INTO ballots ({BALLOT}) VALUES (?{', ?' * 14}) ON CONFLICT DO NOTHING"


class Ledger:
    """One connection to the ledger; each thread opens its own."""

    def __init__(self, folder: Path) -> None:
        """Open the ledger of an arena's folder, or make it.

        Raises:
            LedgerError: It cannot be opened, or is none; the message says what to do.
        """
        self._db = schema.connect(folder)
        self.secret: bytes = self._db.execute("SELECT bytes FROM secret").fetchall()[0][0]
        """Random, made with the ledger; what voters see under it tells no models to who knows all but it."""

    def disconnect(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    @contextmanager
    def together(self) -> Generator[None]:
        """Have all writes within durable at once, at the end, or none of them.

        Raises:
            sqlite3.Error: The disk is full, or another process writes for too long; nothing was written.
        """
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            strokes.commit(self._db)
        except BaseException:
            # What the disk refuses may have been rolled back already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @property
    def data_version(self) -> int:
        """A number that differs when another connection has written."""
        return self._db.execute("PRAGMA data_version").fetchall()[0][0]

    # The lineup

    def set_lineup(self, lineup: Lineup) -> None:
        """Replace the lineup; its models are known from now on."""
        with self.together():
            self._db.execute("INSERT OR REPLACE INTO lineup VALUES (1, ?)", [lineup.model_dump_json()])
            self._db.executemany("INSERT OR IGNORE INTO models VALUES (?)", [(name,) for name in lineup.models])

    def lineup(self) -> Lineup | None:
        """The lineup; None before the first."""
        text = self.lineup_text()
        if text is None:
            return None
        from lanes.arena.lineup import Lineup

        return Lineup.model_validate_json(text)

    def lineup_text(self) -> str | None:
        """The lineup as it is kept, to see cheaply whether it has changed."""
        rows = self._db.execute("SELECT text FROM lineup").fetchall()
        return rows[0][0] if rows else None

    def models(self) -> frozenset[str]:
        """Names of all models that ever were in a lineup."""
        return frozenset(name for (name,) in self._db.execute("SELECT name FROM models").fetchall())

    # Battles

    def add_pairs(self, pairs: Iterable[Pair]) -> None:
        """Keep battles; those that are there already stay as they are."""
        with self.together():
            self._db.executemany(
                f"INSERT INTO battles ({PAIR}) VALUES (?{', ?' * 13}) ON CONFLICT DO NOTHING", map(pair_row, pairs)
            )

    def close(self, experiment: int, test: int = 0) -> None:
        """Show the battles of a question that is answered no longer; votes on them are kept as before."""
        with self.together():
            self._db.execute(
                "UPDATE battles SET closed = 1 WHERE experiment = ? AND test = ? AND NOT closed", [experiment, test]
            )

    def pair(self, identity: str) -> Pair | None:
        """A battle by its id."""
        rows = self._db.execute(f"SELECT {PAIR} FROM battles WHERE id = ?", [identity]).fetchall()
        return pair_of(rows[0]) if rows else None

    def next_pair(self, voter: str, held: Sequence[str] = ()) -> Pair | None:
        """An open held-out pair for a person: of the question they have voted on least, the one with the fewest votes.

        Args:
            voter: Who is to see it.
            held: Pairs that others see now, by id, as often as they are seen; each is as good as a vote.

        Returns:
            A pair that they have not voted on and that has room for a vote that counts; None where there is none, and
            for who is excluded.
        """
        lineup = self.lineup()
        if lineup is None or voter in lineup.excluded:
            return None
        known = {"held": json.dumps(held), "excluded": json.dumps(list(lineup.excluded))}
        rows = self._db.execute(NEXT_PAIR, {"voter": voter, "most": lineup.votes_per_prompt} | known).fetchall()
        return pair_of(rows[0]) if rows else None

    def open_questions(self) -> set[tuple[int, int]]:
        """Experiments and promotion tests that have battles which are shown."""
        return set(self._db.execute("SELECT DISTINCT experiment, test FROM battles WHERE NOT closed").fetchall())

    def open_pairs(self) -> int:
        """Held-out pairs that are shown to people."""
        query = "SELECT count(*) FROM battles WHERE source = 'heldout' AND NOT closed"
        return self._db.execute(query).fetchall()[0][0]

    # Ballots

    def add_ballots(self, ballots: Sequence[Ballot]) -> list[Taken]:
        """Count votes, all in one transaction; who was invited is noted as having voted.

        Returns:
            What became of each; the same key twice is one ballot, and so is one voter's vote on one battle.

        Raises:
            sqlite3.Error: As ``together``.
        """
        with self.together():
            taken = [self._add_ballot(ballot) for ballot in ballots]
            seen = {
                ballot.voter: ballot.at for ballot in ballots if ballot.source in (Source.HELDOUT, Source.ATTENTION)
            }
            if seen:
                self._db.executemany(
                    "UPDATE voters SET last_at = ? WHERE name = ?", [(at, voter) for voter, at in seen.items()]
                )
            return taken

    def ballots(self, after: int, most: int) -> list[Ballot]:
        """Ballots in the order in which they came.

        Args:
            after: Number of the last one that is known; 0 for none.
            most: How many at most.
        """
        query = f"SELECT {BALLOT}, seq FROM ballots WHERE seq > ? ORDER BY seq LIMIT ?"
        return [ballot_of(row) for row in self._db.execute(query, [after, most]).fetchall()]

    def voted(self, voter: str, most: int) -> list[Pair]:
        """The held-out pairs that a person has voted on last, the last one first."""
        own = "SELECT seq, battle FROM ballots WHERE voter = ? AND source = 'heldout' ORDER BY seq DESC LIMIT ?"
        query = f"SELECT {PAIR} FROM ({own}) AS own JOIN battles ON battles.id = own.battle ORDER BY own.seq DESC"
        return [pair_of(row) for row in self._db.execute(query, [voter, most]).fetchall()]

    def has_voted(self, voter: str, pair: str) -> bool:
        """Whether a voter has voted on a battle."""
        query = "SELECT 1 FROM ballots WHERE voter = ? AND battle = ?"
        return bool(self._db.execute(query, [voter, pair]).fetchall())

    def shown(self, voter: str) -> int:
        """Pairs that a person has voted on on the voting page, attention checks among them."""
        query = "SELECT count(*) FROM ballots WHERE voter = ? AND source IN ('heldout', 'attention')"
        return self._db.execute(query, [voter]).fetchall()[0][0]

    def votes_of(self, voter: str) -> int:
        """Ballots of a voter, attention checks not among them."""
        query = "SELECT count(*) FROM ballots WHERE voter = ? AND source != 'attention'"
        return self._db.execute(query, [voter]).fetchall()[0][0]

    def last(self) -> int:
        """Number of the last ballot; 0 where there is none."""
        return self._db.execute("SELECT coalesce(max(seq), 0) FROM ballots").fetchall()[0][0]

    # Voters

    def invite(self, names: Sequence[str]) -> dict[str, str]:
        """Give people tokens, of which only the hash is kept; who had one before has the new one only.

        Returns:
            The tokens by name.
        """
        tokens = {name: secrets.token_urlsafe(TOKEN_BYTES) for name in names}
        rows = [(name, _digest(token), time.time()) for name, token in tokens.items()]
        with self.together():
            self._db.executemany(
                "INSERT INTO voters (name, token_sha256, invited_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET token_sha256 = excluded.token_sha256, invited_at = excluded.invited_at",
                rows,
            )
        return tokens

    def invited(self) -> list[str]:
        """Names of all who have a token."""
        return [name for (name,) in self._db.execute("SELECT name FROM voters ORDER BY name").fetchall()]

    def is_invited(self, name: str) -> bool:
        """Whether somebody of this name has a token."""
        return bool(self._db.execute("SELECT 1 FROM voters WHERE name = ?", [name]).fetchall())

    def voter_of(self, token: str) -> str | None:
        """Whose token it is; None for nobody's."""
        # The hash is looked up, so what time it takes tells nothing of the token.
        rows = self._db.execute("SELECT name FROM voters WHERE token_sha256 = ?", [_digest(token)]).fetchall()
        return rows[0][0] if rows else None

    def voter_figures(self, voters: Iterable[str] | None = None) -> list[VoterFigures]:
        """How people vote, by name.

        Args:
            voters: Only these; by default everybody who has voted or was invited, which reads all ballots.
        """
        if voters is None:
            query = "SELECT voter FROM ballots WHERE NOT simulated UNION SELECT name FROM voters"
            voters = [voter for (voter,) in self._db.execute(query).fetchall()]
        query = "SELECT source, model_a, choice, seconds, at FROM ballots WHERE voter = ? AND NOT simulated"
        return [figures(voter, self._db.execute(query, [voter]).fetchall()) for voter in sorted(set(voters))]

    # What users were given

    def add_exposure(self, exposure: Exposure) -> None:
        """Add to what users were given of a model."""
        with self.together():
            self._db.execute(
                "INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (experiment, model) DO UPDATE SET"
                " answers = answers + excluded.answers, errors = errors + excluded.errors,"
                " refusals = refusals + excluded.refusals, characters = characters + excluded.characters,"
                " seconds = seconds + excluded.seconds, begun = begun + excluded.begun",
                [
                    exposure.experiment, exposure.model, exposure.answers, exposure.errors, exposure.refusals,
                    exposure.characters, exposure.seconds, exposure.begun,
                ],
            )  # fmt: skip

    def exposures(self, experiment: int) -> list[Exposure]:
        """What users were given in one experiment's evaluation, a model each."""
        query = "SELECT * FROM exposures WHERE experiment = ? ORDER BY model"
        return [Exposure(*row) for row in self._db.execute(query, [experiment]).fetchall()]

    def _add_ballot(self, ballot: Ballot) -> Taken:
        cursor = self._db.execute(_ADD_BALLOT, ballot_row(ballot))
        if cursor.rowcount:
            assert cursor.lastrowid is not None
            return Taken(cursor.lastrowid, Fate.COUNTED)
        query = f"SELECT {BALLOT}, seq FROM ballots WHERE key = ? UNION SELECT {BALLOT}, seq FROM ballots"
        rows = self._db.execute(
            f"{query} WHERE voter = ? AND battle = ?", [ballot.key, ballot.voter, ballot.battle]
        ).fetchall()
        found = [ballot_of(row) for row in rows]
        same = all(each.says_the_same(ballot) for each in found)
        return Taken(found[0].seq, Fate.BEFORE if same else Fate.CONFLICT)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
