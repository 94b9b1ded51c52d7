"""Vote sources: battles go in blind, each vote comes out once, and what is no vote is said once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import Choice, Vote
from checkpoints.text import clean
from lanes import vote_file
from lanes.vote_file import FileVoters
from lanes.votes import Battle, VoteSource


def battle(prompt: str, voted: frozenset[str] = frozenset(), experiment: int = 3, wanted: int = 2) -> Battle:
    asked = ({"role": "user", "content": f"My name is Ann. How do I bake bread {prompt}?"},)
    return Battle(
        experiment, prompt, asked, "exp-0003", "exp-0001", "Hi Ann, to bake bread, knead it well.",
        "It depends on many things. I hope this helps!", wanted, voted,
    )  # fmt: skip


async def collected(source: VoteSource, battles: list[Battle], last: bool = True) -> list[Vote]:
    async with aclosing(source.cast(battles, last)) as votes:
        return [vote async for vote in votes if vote]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vote_file, "LOOK_SECONDS", 0.01)


def person(folder: Path, voter: str, choose: Callable[[dict[str, str]], str] = lambda _: "a", skip: int = 0) -> int:
    """One person votes on everything that is shown; returns how many battles they saw."""
    shown = [json.loads(line) for line in (folder / "battles.jsonl").read_text().splitlines()]
    with (folder / "votes.jsonl").open("a") as file:
        for row in shown[skip:]:
            file.write(json.dumps({"battle": row["battle"], "voter": voter, "choice": choose(row)}) + "\n")
    return len(shown)


async def test_people_are_shown_battles_that_do_not_tell_the_models(tmp_path: Path) -> None:
    source = FileVoters(tmp_path, pytest.fail)
    work = asyncio.create_task(collected(source, [battle("p1"), battle("p2")]))
    await asyncio.sleep(0.05)
    shown = (tmp_path / "battles.jsonl").read_text()
    assert "exp-" not in shown
    assert [json.loads(line).keys() for line in shown.splitlines()] == [
        {"battle", "prompt", "answer_a", "answer_b"}
    ] * 2
    person(tmp_path, "ann")
    person(tmp_path, "bob", lambda _: "tie")
    votes = await asyncio.wait_for(work, 5)
    assert [(vote.voter, vote.choice, vote.simulated) for vote in votes if vote.prompt == "p1"] == [
        ("ann", Choice.A, False), ("bob", Choice.TIE, False),
    ]  # fmt: skip


async def test_a_voters_second_vote_on_a_battle_is_not_counted(tmp_path: Path) -> None:
    source = FileVoters(tmp_path, pytest.fail)
    work = asyncio.create_task(collected(source, [battle("p1")]))
    await asyncio.sleep(0.05)
    person(tmp_path, "ann")
    person(tmp_path, "ann", lambda _: "b")
    person(tmp_path, "bob")
    votes = await asyncio.wait_for(work, 5)
    assert [(vote.voter, vote.choice) for vote in votes] == [("ann", Choice.A), ("bob", Choice.A)]


async def test_only_as_many_votes_count_on_a_battle_as_the_program_wants_and_this_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    battles = [battle("p1", wanted=1), battle("p2", frozenset({"cleo"}), wanted=2)]
    source = FileVoters(tmp_path, said.append)
    work = asyncio.create_task(collected(source, battles))
    await asyncio.sleep(0.05)
    person(tmp_path, "ann")
    person(tmp_path, "bob")
    votes = await asyncio.wait_for(work, 5)
    assert sorted((vote.prompt, vote.voter) for vote in votes) == [("p1", "ann"), ("p2", "ann")]
    assert len(set(said)) == 1 and "more votes than evaluate.votes_per_prompt; the first ones count" in said[0]


async def test_lines_that_are_no_votes_are_named_once_each_and_the_others_count(tmp_path: Path) -> None:
    said: list[str] = []
    source = FileVoters(tmp_path, said.append)
    work = asyncio.create_task(collected(source, [battle("p1", wanted=1)]))
    await asyncio.sleep(0.05)
    name = battle("p1").id
    with (tmp_path / "votes.jsonl").open("ab") as file:
        file.write(b"no json\n[]\n\xff\xfe\n{}\n")
        file.write(json.dumps({"battle": name, "voter": "ann", "choice": "both"}).encode() + b"\n")
        file.write(json.dumps({"battle": "unheard-of", "voter": "ann", "choice": "a"}).encode() + b"\n")
        file.write(json.dumps({"battle": name, "voter": "\x1b[31m", "choice": "b"}).encode() + b"\n")
        file.write(json.dumps({"battle": name, "voter": "", "choice": "b"}).encode() + b"\n")
    votes = await asyncio.wait_for(work, 5)
    assert [(vote.voter, vote.choice) for vote in votes] == [("[31m", Choice.B)]
    assert [line.split(" is ")[0] for line in said] == [
        f"votes.jsonl line {number}" for number in (1, 2, 3, 4, 5, 6, 8)
    ]


async def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    source = FileVoters(tmp_path, pytest.fail)
    work = asyncio.create_task(collected(source, [battle("p1", wanted=1)]))
    line = json.dumps({"battle": battle("p1").id, "voter": "ann", "choice": "a"})
    (tmp_path / "votes.jsonl").write_text(line[:20])
    await asyncio.sleep(0.1)
    assert not work.done()
    with (tmp_path / "votes.jsonl").open("a") as file:
        file.write(line[20:] + "\n")
    assert len(await asyncio.wait_for(work, 5)) == 1


async def test_a_file_of_votes_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    source = FileVoters(tmp_path, pytest.fail)
    work = asyncio.create_task(collected(source, [battle("p1")]))
    await asyncio.sleep(0.05)
    person(tmp_path, "ann")
    await asyncio.sleep(0.1)
    (tmp_path / "new").write_text(json.dumps({"battle": battle("p1").id, "voter": "bob", "choice": "b"}) + "\n")
    (tmp_path / "new").replace(tmp_path / "votes.jsonl")
    assert [vote.voter for vote in await asyncio.wait_for(work, 5)] == ["ann", "bob"]


async def test_after_a_kill_no_battle_is_shown_twice_and_votes_that_came_meanwhile_count(tmp_path: Path) -> None:
    battles = [battle("p1", wanted=1), battle("p2", wanted=1)]
    first = asyncio.create_task(collected(FileVoters(tmp_path, pytest.fail), battles))
    await asyncio.sleep(0.05)
    first.cancel()
    person(tmp_path, "ann")
    with (tmp_path / "battles.jsonl").open("a") as file:
        file.write('{"battle": "cut sho')
    source = FileVoters(tmp_path, pytest.fail)
    assert [vote.prompt for vote in await collected(source, battles[:1])] == ["p1"]
    assert [vote.prompt for vote in await collected(source, battles[1:])] == ["p2"]
    later = asyncio.create_task(collected(source, [battle("p9", wanted=1)]))
    await asyncio.sleep(0.05)
    lines = (tmp_path / "battles.jsonl").read_text().splitlines()
    assert [json.loads(line)["battle"] for line in lines if line.endswith("}")] == [
        each.id for each in (*battles, battle("p9"))
    ]
    later.cancel()


async def test_battles_that_nobody_opens_do_not_hold_up_the_next_ones(tmp_path: Path) -> None:
    source = FileVoters(tmp_path, pytest.fail)
    work = asyncio.create_task(collected(source, [battle(f"p{number}") for number in range(8)], last=False))
    await asyncio.sleep(0.05)
    person(tmp_path, "ann", skip=4)
    assert len(await asyncio.wait_for(work, 5)) == 4


@given(st.text(max_size=200))
def test_cleaned_text_has_no_controls_and_loses_nothing_else(text: str) -> None:
    dropped = {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x61C, 0x200E, 0x200F)}
    dropped |= {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    assert clean(text) == "".join(letter for letter in text if letter not in dropped)


def test_cleaning_a_page_takes_less_than_a_millisecond() -> None:
    page = "Grüße an \x1b[31malle\x1b[0m: 你好 🙂\n" * 150

    def seconds() -> float:
        began = time.perf_counter()
        clean(page)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(50)) < 1e-3
