"""Votes are fetched from where a product keeps them: each row once, by a cursor, and what is wrong is one line."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from checkpoints.records import Choice
from lanes.pull import Feed, Pull, SourceDown, feed_of
from lanes.vote_rows import NoVote, Reported, read_row

ROWS = [
    {"id": number, "model_a": "exp-0001", "model_b": "exp-0000", "choice": "a", "voter": f"v{number}"}
    for number in range(1, 8)
]


async def all_rows(feed: Feed, cursor: str = "") -> tuple[list[object], str]:
    """Everything that is there after a cursor, page by page."""
    found: list[object] = []
    while (page := await feed.read(cursor)).rows:
        found += [row for _, row in page.rows]
        cursor = page.cursor
    return found, cursor


@contextmanager
def product(answers: dict[str, object], status: int = 200) -> Iterator[tuple[str, list[str | None]]]:
    """An endpoint that answers by the cursor it is asked with; gives its URL, and the tokens it was shown."""
    tokens: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["authorization"])
            after = parse_qs(urlsplit(self.path).query).get("after", [""])[0]
            body = json.dumps(answers[after]).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/votes?kind=chat", tokens
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_file_is_read_once_also_when_it_grows_and_anew_when_it_was_replaced(tmp_path: Path) -> None:
    file = tmp_path / "votes.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:2]) + '{"half')
    feed = feed_of(Pull(path=str(file)))
    found, cursor = await all_rows(feed)
    assert found == ROWS[:2], "half a line is not a line yet"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:3]))
    assert (await all_rows(feed_of(Pull(path=str(file))), cursor))[0] == ROWS[2:3]
    (tmp_path / "new").write_text(json.dumps(ROWS[6]) + "\n")
    (tmp_path / "new").replace(file)
    assert (await all_rows(feed, cursor))[0] == ROWS[6:]


async def test_an_endpoint_says_its_cursor_or_the_last_id_is_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCT_TOKEN", "a secret")
    with product({"": {"votes": ROWS[:3], "next": "m 1"}, "m 1": ROWS[3:], "7": []}) as (url, tokens):
        found, cursor = await all_rows(feed_of(Pull(url=url, token_env="PRODUCT_TOKEN")))
    assert (found, cursor) == (ROWS, "7")
    assert tokens == ["Bearer a secret"] * 3


async def test_a_table_is_read_by_its_query_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "votes.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE choices (id INTEGER PRIMARY KEY, model_a, model_b, choice, voter)")
        db.executemany("INSERT INTO choices VALUES (:id, :model_a, :model_b, :choice, :voter)", ROWS)
    query = "SELECT * FROM choices WHERE id > :after ORDER BY id LIMIT 3"
    assert await all_rows(feed_of(Pull(sql=f"sqlite:///{path}", query=query))) == (ROWS, "7")
    with pytest.raises(SourceDown, match="readonly"):
        await feed_of(Pull(sql=f"sqlite:///{path}", query="DELETE FROM choices WHERE id > :after")).read("")
    with pytest.raises(SourceDown, match="add ORDER BY id"):
        query = "SELECT * FROM choices WHERE id > :after ORDER BY id DESC"
        await feed_of(Pull(sql=f"sqlite:///{path}", query=query)).read("")


async def test_a_source_that_is_down_is_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with product({"": "soon"}) as (url, _), product({"": []}, status=503) as (broken, _):
        said = {
            "is not there": Pull(path=str(tmp_path / "none.jsonl")),
            "no JSON list of votes": Pull(url=url),
            "status 503": Pull(url=broken),
            "NO_SUCH_TOKEN": Pull(url=url, token_env="NO_SUCH_TOKEN"),
            "does not answer": Pull(url="http://127.0.0.1:9/votes"),
            "names the database": Pull(sql=f"sqlite:///{tmp_path / 'none.db'}", query="SELECT :after"),
            "postgres://db/x needs SQLAlchemy": Pull(sql="postgres://ann:secret@db/x", query="SELECT :after"),
        }
        for words, pull in said.items():
            with pytest.raises(SourceDown, match=words) as down:
                await feed_of(pull).read("")
            assert "\n" not in str(down.value) and "secret" not in str(down.value)


@pytest.mark.parametrize(
    "fields", [{}, {"url": "http://x", "path": "y"}, {"sql": "sqlite:///x"}, {"path": "x", "token_env": "T"}]
)
def test_a_pull_names_one_source_and_what_belongs_to_it(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Pull(**fields)  # type: ignore[arg-type]


def test_a_row_may_say_the_winner_by_its_side_or_by_its_name() -> None:
    row = {
        "model_a": "exp-0001",
        "model_b": "reference",
        "voter": "ann\x1b[31m",
        "key": "k",
        "at": "2026-01-02T03:04:05Z",
    }
    for winner, choice in (("model_a", Choice.A), ("reference", Choice.B), ("tie", Choice.TIE)):
        read = read_row(row | {"winner": winner})
        assert read == Reported("k", "exp-0001", "reference", choice, read.voter, None, 1767323045.0)
        assert "\x1b" not in read.voter


@given(
    st.dictionaries(
        st.sampled_from(["model_a", "model_b", "choice", "winner", "voter", "key", "id", "prompt", "at"]),
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_whatever_a_row_says_it_is_a_vote_or_it_is_said_why_not(odd: dict[str, object]) -> None:
    try:
        read = read_row(ROWS[0] | odd)
    except NoVote as why:
        assert str(why) and "\n" not in str(why)
    else:
        assert read.voter and read.key and read.model_a != read.model_b
