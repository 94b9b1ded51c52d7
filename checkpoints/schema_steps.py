"""The laws of the store: tables and constraints, as the steps that brought them about; one that was released stays.

What must hold is held here, not by care: one row a vote and a step, one verdict an experiment, one champion at a time,
one open passage of an experiment through a lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.records import Choice, Lane, Outcome, StageState, State

if TYPE_CHECKING:
    from enum import StrEnum


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
