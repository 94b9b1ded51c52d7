"""The laws of the store: tables and constraints, as migrations that are each applied in one transaction.

What must hold is held here, not by care: one row a vote and a step, one verdict an experiment, one champion at a time,
one open passage of an experiment through a lane.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.records import Choice, Lane, Outcome, StageState, State
from checkpoints.remains import has_log, remains
from checkpoints.trouble import is_damage, said

if TYPE_CHECKING:
    from enum import StrEnum

    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x41525354
"""``ARST`` in the header of the file: tells our database from a foreign one."""


class SchemaError(Exception):
    """The file is no store of ours, or of a newer version; the message says which and what to do."""


class Damaged(SchemaError):
    """The file is not what was written."""


def database(connection: sqlite3.Connection) -> Database:
    """Wrap a connection in sqlite-utils, which is slow to import and so waits until it is needed."""
    load()
    from sqlite_utils import Database

    return Database(connection)


def load() -> None:
    """Import sqlite-utils.

    It imports pandas where it finds it, only to know its types: 0.3 s and 70 MB that nobody here uses.
    """
    absent = "pandas" not in sys.modules
    if absent:
        sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import_module("sqlite_utils")
    finally:
        if absent:
            del sys.modules["pandas"]


def migrate(db: Database) -> None:
    """Bring a store to this version.

    Raises:
        SchemaError: The file belongs to something else, or was written by a newer version.
    """
    check(db.conn)
    _migrations().apply(db)
    if db.conn.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def check(connection: sqlite3.Connection) -> None:
    """Refuse a foreign database, one of a newer version, and one that was emptied.

    Raises:
        SchemaError: With the reason.
    """
    _check_not_emptied(connection)
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        raise Damaged(f"the store is damaged ({said(error)}); put back a copy, or start in another folder") from error
    if not tables:
        return
    if application != APPLICATION_ID and "_sqlite_migrations" not in tables:
        raise SchemaError("this database belongs to another program; start in another folder")
    applied = {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")}
    if newer := applied - set(NAMES):
        raise SchemaError(
            f"this run was written by a newer autoresearch-tui (it has {', '.join(sorted(newer))}); "
            "upgrade with: pip install -U autoresearch-tui"
        )
    if len(applied) == len(NAMES):
        _check_columns(connection)


def _check_not_emptied(connection: sqlite3.Connection) -> None:
    """Before the first page is asked for: SQLite removes the log of a database that has none."""
    path = _file(connection)
    if path and (left := remains(path)):
        raise Damaged(
            f"the store is empty, but a run was here (it left {', '.join(left)}); "
            "put back a copy, or start in another folder"
        )


def _file(connection: sqlite3.Connection) -> Path | None:
    """Of a database; None where it is in memory."""
    name = connection.execute("PRAGMA database_list").fetchone()[2]
    return Path(name) if name else None


def lacking(connection: sqlite3.Connection) -> list[str]:
    """Names of the migrations that a store of ours has yet to go through, in order."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()[0]
    applied = {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")} if tables else set[str]()
    return [name for name in NAMES if name not in applied]


def check_pages(connection: sqlite3.Connection) -> None:
    """Refuse a file with damaged pages before anything is built on it; 0.3 s for a million rows of metrics.

    Raises:
        Damaged: With the first damage.
    """
    try:
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        found = said(error)
    if found == "ok":
        found = _cut_off(connection) or found
    if found != "ok":
        what = " ".join(found.split())
        raise Damaged(f"the store is damaged ({what}); put back a copy, or start in another folder")


def _cut_off(connection: sqlite3.Connection) -> str:
    """What SQLite reads as zeros: the end of the last page, where no log has it; empty where nothing lacks."""
    path = _file(connection)
    if not path or not path.exists() or has_log(path):
        return ""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    lacking = pages * size - path.stat().st_size
    return f"{lacking} bytes at its end are missing" if lacking > 0 else ""


def _check_columns(connection: sqlite3.Connection) -> None:
    """Refuse a store whose own description was damaged: SQLite finds nothing wrong with a column of another name.

    Raises:
        Damaged: A column is not there.
    """
    if lost := _all_columns() - _columns(connection):
        table, column = min(lost)
        raise Damaged(
            f"the store is damaged (its table {table} has no {column}); put back a copy, or start in another folder"
        )


@cache
def _all_columns() -> set[tuple[str, str]]:
    """Tables with their columns as a new store has them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for statements in STEPS.values():
            for statement in statements.split(";\n\n"):
                fresh.execute(statement)
        return _columns(fresh)


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Tables with their columns."""
    return set(
        connection.execute(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        )
    )


def _migrations() -> Migrations:
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("autoresearch-tui")
    for name, statements in STEPS.items():

        def step(db: Database, statements: str = statements) -> None:
            for statement in statements.split(";\n\n"):
                db.conn.execute(statement)

        migrations(name=name)(step)
    return migrations


def _one_of(words: type[StrEnum]) -> str:
    return "(" + ", ".join(f"'{word}'" for word in words) + ")"


STEPS = {
    "m001_first": f"""
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL, goal TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    experiments INTEGER NOT NULL, created_at REAL NOT NULL, seed INTEGER NOT NULL
);

CREATE TABLE programs (
    revision INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, text TEXT NOT NULL, error TEXT NOT NULL, read_at REAL NOT NULL
);

CREATE TABLE experiments (
    number INTEGER PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN {_one_of(State)}),
    hypothesis TEXT NOT NULL, category TEXT NOT NULL, change TEXT, change_hash TEXT, proposer TEXT NOT NULL,
    zoom_out INTEGER, recipe TEXT, parent INTEGER REFERENCES experiments(number),
    opponent INTEGER REFERENCES experiments(number),
    proposed_at REAL NOT NULL, ended_at REAL, note TEXT NOT NULL DEFAULT ''
);

CREATE INDEX experiments_by_state ON experiments(state);

CREATE TABLE stages (
    experiment INTEGER NOT NULL REFERENCES experiments(number),
    lane TEXT NOT NULL CHECK (lane IN {_one_of(Lane)}),
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    state TEXT NOT NULL CHECK (state IN {_one_of(StageState)}),
    "order" TEXT NOT NULL, result TEXT NOT NULL DEFAULT '{{}}', failure TEXT, error TEXT NOT NULL DEFAULT '',
    started_at REAL NOT NULL, finished_at REAL, seconds REAL,
    PRIMARY KEY (experiment, lane, attempt)
);

CREATE UNIQUE INDEX one_done_passage ON stages(experiment, lane) WHERE state = 'done';

CREATE UNIQUE INDEX one_open_passage ON stages(experiment, lane) WHERE state = 'started';

CREATE INDEX open_stages ON stages(lane) WHERE state = 'started';

CREATE TABLE waits (
    id INTEGER PRIMARY KEY, lane TEXT NOT NULL, what TEXT NOT NULL, since REAL NOT NULL, until REAL
);

CREATE UNIQUE INDEX one_wait_a_lane ON waits(lane) WHERE until IS NULL;

CREATE TABLE answers (
    experiment INTEGER NOT NULL REFERENCES experiments(number),
    prompt TEXT NOT NULL, model TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (experiment, prompt, model)
) WITHOUT ROWID;

CREATE TABLE votes (
    seq INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE, experiment INTEGER NOT NULL REFERENCES experiments(number),
    voter TEXT NOT NULL, prompt TEXT NOT NULL, model_a TEXT NOT NULL, model_b TEXT NOT NULL,
    choice TEXT NOT NULL CHECK (choice IN {_one_of(Choice)}), simulated INTEGER NOT NULL, at REAL NOT NULL,
    CHECK (model_a <> model_b)
);

CREATE UNIQUE INDEX one_vote_a_pair
    ON votes(experiment, voter, prompt, min(model_a, model_b), max(model_a, model_b));

CREATE TABLE tallies (
    experiment INTEGER NOT NULL, model_a TEXT NOT NULL, model_b TEXT NOT NULL, choice TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (experiment, model_a, model_b, choice)
) WITHOUT ROWID;

CREATE TRIGGER a_vote_is_tallied AFTER INSERT ON votes BEGIN
    INSERT INTO tallies VALUES (new.experiment, new.model_a, new.model_b, new.choice, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TABLE verdicts (
    experiment INTEGER PRIMARY KEY REFERENCES experiments(number),
    outcome TEXT NOT NULL CHECK (outcome IN {_one_of(Outcome)}),
    wins INTEGER NOT NULL, losses INTEGER NOT NULL, ties INTEGER NOT NULL,
    win_rate TEXT, anytime TEXT, shrunken REAL, reference TEXT, reason TEXT NOT NULL, decided_at REAL NOT NULL
);

CREATE TABLE championships (
    id INTEGER PRIMARY KEY, experiment INTEGER NOT NULL REFERENCES experiments(number),
    since REAL NOT NULL, until REAL, reason TEXT NOT NULL
);

CREATE UNIQUE INDEX one_champion ON championships((until IS NULL)) WHERE until IS NULL;

CREATE TABLE standings (
    model TEXT PRIMARY KEY, experiment INTEGER, votes INTEGER NOT NULL, elo REAL NOT NULL, reference TEXT NOT NULL
);

CREATE TABLE hypotheses (
    number INTEGER PRIMARY KEY, text TEXT NOT NULL, category TEXT NOT NULL, status TEXT NOT NULL,
    experiments TEXT NOT NULL
);

CREATE TABLE zoom_outs (
    number INTEGER PRIMARY KEY, "trigger" TEXT NOT NULL, steering TEXT NOT NULL, text TEXT NOT NULL,
    categories TEXT NOT NULL, at REAL NOT NULL
);

CREATE TABLE interventions (
    number INTEGER PRIMARY KEY, step TEXT NOT NULL, experiment INTEGER, detail TEXT NOT NULL, reason TEXT NOT NULL,
    at REAL NOT NULL, acknowledged_at REAL, effect TEXT NOT NULL DEFAULT ''
);

CREATE INDEX pending_interventions ON interventions(number) WHERE acknowledged_at IS NULL;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, level TEXT NOT NULL, kind TEXT NOT NULL, experiment INTEGER,
    text TEXT NOT NULL
);

CREATE TABLE metrics (
    experiment INTEGER NOT NULL, phase TEXT NOT NULL, step INTEGER NOT NULL, "values" TEXT NOT NULL,
    PRIMARY KEY (experiment, phase, step)
) WITHOUT ROWID;

CREATE TABLE progress (
    lane TEXT PRIMARY KEY, experiment INTEGER, doing TEXT NOT NULL, done REAL NOT NULL, total REAL NOT NULL,
    detail TEXT NOT NULL, eta REAL, at REAL NOT NULL
)
""",
    "m002_dashboard": """
ALTER TABLE run ADD COLUMN usd_per_hour REAL;

ALTER TABLE championships ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;

ALTER TABLE interventions ADD COLUMN done TEXT NOT NULL DEFAULT '{}';

CREATE TABLE prompts (id TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE touched (experiment INTEGER PRIMARY KEY, seq INTEGER NOT NULL);

CREATE UNIQUE INDEX touched_in_order ON touched(seq);

INSERT INTO touched SELECT number, number + 1 FROM experiments;

"""
    + ";\n\n".join(
        f"""CREATE TRIGGER {name} BEGIN
    INSERT INTO touched VALUES (new.{column}, (SELECT coalesce(max(seq), 0) + 1 FROM touched))
    ON CONFLICT DO UPDATE SET seq = excluded.seq;
END"""
        for name, column in (
            ("proposing_touches AFTER INSERT ON experiments", "number"),
            ("changing_touches AFTER UPDATE ON experiments", "number"),
            ("judging_touches AFTER INSERT ON verdicts", "experiment"),
            ("passing_touches AFTER UPDATE ON stages", "experiment"),
        )
    ),
    "m003_arena": """
ALTER TABLE verdicts ADD COLUMN voters INTEGER NOT NULL DEFAULT 0;

UPDATE verdicts SET voters = wins + losses WHERE EXISTS
    (SELECT 1 FROM votes WHERE votes.experiment = verdicts.experiment);

ALTER TABLE votes ADD COLUMN test INTEGER NOT NULL DEFAULT 0;

DROP INDEX one_vote_a_pair;

CREATE UNIQUE INDEX one_vote_a_pair
    ON votes(experiment, prompt, voter, min(model_a, model_b), max(model_a, model_b), test);

CREATE INDEX votes_of_a_voter ON votes(voter);

CREATE TABLE exclusions (voter TEXT PRIMARY KEY, reason TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;

DROP TRIGGER a_vote_is_tallied;

ALTER TABLE tallies RENAME TO older_tallies;

CREATE TABLE tallies (
    experiment INTEGER NOT NULL, test INTEGER NOT NULL, model_a TEXT NOT NULL, model_b TEXT NOT NULL,
    choice TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (experiment, test, model_a, model_b, choice)
) WITHOUT ROWID;

INSERT INTO tallies SELECT experiment, 0, model_a, model_b, choice, n FROM older_tallies;

DROP TABLE older_tallies;

CREATE TRIGGER a_vote_is_tallied AFTER INSERT ON votes
    WHEN new.voter NOT GLOB 'judge:*' AND NOT EXISTS (SELECT 1 FROM exclusions WHERE voter = new.voter) BEGIN
    INSERT INTO tallies VALUES (new.experiment, new.test, new.model_a, new.model_b, new.choice, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TABLE voter_sessions (
    experiment INTEGER NOT NULL, test INTEGER NOT NULL, model_a TEXT NOT NULL, model_b TEXT NOT NULL,
    voter TEXT NOT NULL,
    a_wins INTEGER NOT NULL, b_wins INTEGER NOT NULL, ties INTEGER NOT NULL, last_at REAL NOT NULL, closed_at REAL,
    PRIMARY KEY (experiment, test, model_a, model_b, voter),
    CHECK (model_a < model_b)
) WITHOUT ROWID;

INSERT INTO voter_sessions
    SELECT experiment, 0, min(model_a, model_b), max(model_a, model_b), voter,
        sum(choice = iif(model_a < model_b, 'a', 'b')), sum(choice = iif(model_a < model_b, 'b', 'a')),
        sum(choice = 'tie'), max(at), max(at)
    FROM votes GROUP BY 1, 3, 4, 5;

CREATE TRIGGER a_vote_is_its_voters AFTER INSERT ON votes
    WHEN NOT EXISTS (SELECT 1 FROM exclusions WHERE voter = new.voter) BEGIN
    INSERT INTO voter_sessions VALUES (
        new.experiment, new.test, min(new.model_a, new.model_b), max(new.model_a, new.model_b), new.voter,
        new.choice = iif(new.model_a < new.model_b, 'a', 'b'), new.choice = iif(new.model_a < new.model_b, 'b', 'a'),
        new.choice = 'tie', new.at, NULL)
    ON CONFLICT DO UPDATE SET
        a_wins = a_wins + excluded.a_wins, b_wins = b_wins + excluded.b_wins, ties = ties + excluded.ties,
        last_at = max(last_at, excluded.last_at)
    WHERE closed_at IS NULL;
END;

CREATE TABLE promotion_tests (
    number INTEGER PRIMARY KEY, experiment INTEGER NOT NULL REFERENCES experiments(number),
    opponent INTEGER REFERENCES experiments(number), "order" TEXT NOT NULL, began_at REAL NOT NULL, ended_at REAL,
    outcome TEXT, wins INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0, ties INTEGER NOT NULL DEFAULT 0,
    voters INTEGER NOT NULL DEFAULT 0, win_rate TEXT, anytime TEXT, shrunken REAL, reason TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX one_open_test ON promotion_tests((ended_at IS NULL)) WHERE ended_at IS NULL;

CREATE TABLE looks (
    number INTEGER PRIMARY KEY, test INTEGER NOT NULL, model TEXT NOT NULL, voters INTEGER NOT NULL, at REAL NOT NULL
);

CREATE TABLE promotions (
    id INTEGER PRIMARY KEY, experiment INTEGER NOT NULL REFERENCES experiments(number), since REAL NOT NULL,
    until REAL, test INTEGER REFERENCES promotion_tests(number), hypothesis TEXT NOT NULL, lift TEXT,
    reason TEXT NOT NULL
);

CREATE UNIQUE INDEX one_promoted ON promotions((until IS NULL)) WHERE until IS NULL;

CREATE TABLE calibrations (
    number INTEGER PRIMARY KEY, judge TEXT NOT NULL, labels INTEGER NOT NULL, agreement REAL NOT NULL,
    consistency REAL NOT NULL, passed INTEGER NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL
);

CREATE TABLE insights (name TEXT PRIMARY KEY, value TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID
""",
    "m004_side_by_side": """
ALTER TABLE progress RENAME TO older_progress;

CREATE TABLE progress (
    lane TEXT NOT NULL, experiment INTEGER, doing TEXT NOT NULL, done REAL NOT NULL, total REAL NOT NULL,
    detail TEXT NOT NULL, eta REAL, at REAL NOT NULL,
    PRIMARY KEY (lane, experiment)
);

INSERT INTO progress SELECT * FROM older_progress;

DROP TABLE older_progress
""",
    "m005_agent": """
ALTER TABLE experiments ADD COLUMN expected TEXT;

ALTER TABLE experiments ADD COLUMN rests_on TEXT NOT NULL DEFAULT '[]';

ALTER TABLE experiments ADD COLUMN differs TEXT NOT NULL DEFAULT '';

ALTER TABLE experiments ADD COLUMN base INTEGER REFERENCES experiments(number);

ALTER TABLE experiments ADD COLUMN belief INTEGER REFERENCES hypotheses(number);

ALTER TABLE verdicts ADD COLUMN value TEXT;

ALTER TABLE verdicts ADD COLUMN effect TEXT;

ALTER TABLE hypotheses ADD COLUMN source TEXT NOT NULL DEFAULT 'agent';

ALTER TABLE hypotheses ADD COLUMN refuted_by TEXT NOT NULL DEFAULT '';

ALTER TABLE zoom_outs ADD COLUMN directions TEXT NOT NULL DEFAULT '[]';

CREATE TABLE exchanges (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, purpose TEXT NOT NULL, model TEXT NOT NULL, form TEXT NOT NULL,
    experiment INTEGER REFERENCES experiments(number), request TEXT NOT NULL, answer TEXT NOT NULL, error TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, usd REAL, seconds REAL NOT NULL
);

CREATE INDEX exchanges_of_an_experiment ON exchanges(experiment) WHERE experiment IS NOT NULL;

CREATE INDEX exchanges_spent ON exchanges(at, experiment, tokens_in, tokens_out, usd);

CREATE TABLE refusals (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, proposer TEXT NOT NULL, proposal TEXT NOT NULL, reason TEXT NOT NULL,
    exchange INTEGER REFERENCES exchanges(number), belief INTEGER REFERENCES hypotheses(number)
);

CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL, at REAL NOT NULL, removed_at REAL);

CREATE TABLE messages (
    number INTEGER PRIMARY KEY, role TEXT NOT NULL CHECK (role IN ('person', 'agent')), text TEXT NOT NULL,
    ideas TEXT NOT NULL, at REAL NOT NULL, exchange INTEGER REFERENCES exchanges(number)
);

CREATE TABLE speech (
    id INTEGER PRIMARY KEY CHECK (id = 1), purpose TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL
);

CREATE TABLE measurements (
    experiment INTEGER NOT NULL REFERENCES experiments(number), seed INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('screen', 'fresh')), rows TEXT NOT NULL CHECK (rows IN ('open', 'locked')),
    value REAL, standard_error REAL, failure TEXT NOT NULL, asked_by INTEGER NOT NULL REFERENCES experiments(number),
    at REAL NOT NULL,
    PRIMARY KEY (experiment, seed, rows),
    CHECK ((value IS NULL) = (failure <> ''))
) WITHOUT ROWID
""",
}
"""Statements by migration, in order; a statement ends with a semicolon and an empty line."""

NAMES = tuple(STEPS)
