"""A person's own votes: blind, in an order that does not tell, each pair once, the tally only afterwards."""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import write_run
from test_dashboard import NARROW, WIDE, Recorded, text_of, until, until_shown

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import REFERENCE, Answer, Choice, RunState, State, Step, Vote
from checkpoints.store import Store
from lanes.analyze.verdict import Rule
from lanes.contest import Contest
from lanes.rows import Prompt
from lanes.terms import Terms
from lanes.vote_file import FileVoters
from lanes.vote_limit import full
from lanes.votes import Battle as Asked
from tui.app import Dashboard
from tui.battles import Battle, next_battle, voter

ANA = "person:ana"
QUESTION = "When does the library open, and may I bring my dog?"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arena") / "run"
    write_run(folder, 3)
    with Store(folder) as store:
        store.submit(writes.add_prompts, [(f"prompt-{place:03d}", QUESTION) for place in range(8)]).result()
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


def battles(folder: Path, voter: str, count: int) -> list[Battle]:
    """As a voter meets them who votes on each."""
    reader, seen = Reader(folder), set[tuple[int, str]]()
    found: list[Battle] = []
    while len(found) < count and (battle := next_battle(folder, reader.rows(), voter, seen)):
        found.append(battle)
        seen.add((battle.experiment, battle.prompt))
    return found


async def test_a_vote_is_blind_and_the_models_and_the_tally_are_told_after_it(written: Path) -> None:
    recorded = Recorded()
    async with Dashboard(written, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("a")
        screen = await until_shown(pilot, QUESTION, "Hello Ana", "Thank you", "other voters are simulated")
        assert not re.search(r"#\d|exp-|candidate|opponent|\d %", screen)
        await pilot.press("left")
        screen = await until_shown(pilot, "You preferred #", "candidate", "opponent", "simulated voters among them")
    ((step, number, reason, detail),) = recorded.steps
    assert (step, number, reason) == (Step.VOTE, 4, "")
    assert {detail["model_a"], detail["model_b"]} == {"exp-0004", "exp-0001"}
    assert (detail["choice"], detail["voter"]) == ("a", voter())
    wins = detail["model_a"] == "exp-0004"
    assert f"You preferred #{4 if wins else 1}'s answer" in screen
    assert f"Your votes on #4: {int(wins)} of 1 for it" in screen
    assert f"{69 + wins} of 131 for it" in screen
    assert "each of 130 voters as one 53.1 % [39.1, 66.8] 95 % at any time" in " ".join(screen.split())


async def test_each_pair_comes_once_skipped_or_voted_on_and_the_last_one_says_so(folder: Path) -> None:
    recorded = Recorded()
    with Store(folder) as store:
        few = "DELETE FROM answers WHERE experiment < 4 OR prompt > 'prompt-004'"
        store.submit(lambda db: db.execute(few)).result()
    async with Dashboard(folder, recorded).run_test(size=NARROW, notifications=True) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("a")
        await until_shown(pilot, "← upper", "→ lower")
        for _ in range(40):
            if "on every pair there is" in text_of(pilot.app):  # type: ignore[arg-type]
                break
            await pilot.press("s" if len(recorded.steps) > 2 else "equals_sign", "enter")
            await pilot.pause()
        screen = await until_shown(pilot, "you have voted on every pair there is", "skipped ones come again")
        assert "← upper" not in screen
        await pilot.press("escape")
        await until_shown(pilot, "champion #1")
    voted = [(number, detail["prompt"]) for _, number, _, detail in recorded.steps]
    assert len(voted) == 3 == len(set(voted))
    assert {detail["choice"] for *_, detail in recorded.steps} == {"tie"}


async def test_long_answers_are_read_to_their_ends_also_on_a_small_terminal(folder: Path) -> None:
    with Store(folder) as store:
        long = "\n".join(f"line {number} \x1b[2J[red]" for number in range(60))
        answers = [Answer(4, "a", model, f"{long}\nend of {model[-1]}") for model in ("exp-0004", "exp-0001")]
        answers += [Answer(4, "b", "exp-0004", "x" * 10_000), Answer(4, "b", "exp-0001", "漢字🙂" * 900)]
        store.submit(lambda db: db.execute("DELETE FROM answers")).result()
        store.submit(writes.add_answers, answers).result()
    async with Dashboard(folder, Recorded()).run_test(size=(60, 16), notifications=True) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("a")
        await until_shown(pilot, "← upper", "more")
        for _ in range(2):
            if "line 0" in text_of(pilot.app):  # type: ignore[arg-type]
                break
            await pilot.press("s")
            await until(pilot, lambda: "xxx" not in text_of(pilot.app))  # type: ignore[arg-type]
        await pilot.press(*["pagedown"] * 8)
        screen = await until_shown(pilot, "end of 4", "end of 1")
    assert "\x1b" not in screen and "more" not in screen
    assert all(len(line) <= 60 for line in screen.splitlines())


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        ({"driven": lambda: False}, "nobody would count your votes"),
        ({"state": RunState.FINISHED}, "the run is finished"),
        ({"delete": "answers"}, "there are no answers to vote on yet"),
    ],
)
async def test_where_nobody_can_vote_it_says_why(folder: Path, prepare: dict[str, Any], why: str) -> None:
    with Store(folder) as store:
        if "state" in prepare:
            store.submit(writes.set_run, prepare["state"], "").result()
        if "delete" in prepare:
            store.submit(lambda db: db.execute("DELETE FROM answers")).result()
    driven = prepare.get("driven", lambda: True)
    async with Dashboard(folder, Recorded(), driven=driven).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("a")
        await until(pilot, lambda: why in " ".join(text_of(pilot.app).split()))  # type: ignore[arg-type]
        assert len(pilot.app.screen_stack) == 1


def test_the_order_of_the_answers_looks_drawn_and_is_the_same_for_the_same_voter(written: Path) -> None:
    ana, ben = battles(written, ANA, 24), battles(written, "person:ben", 24)
    assert ana == battles(written, ANA, 24)
    first = {(battle.experiment, battle.prompt): battle.model_a for battle in ana}
    candidate = [battle.model_a == f"exp-{battle.experiment:04d}" for battle in ana]
    assert 4 <= sum(candidate) <= 20
    assert any(first[battle.experiment, battle.prompt] != battle.model_a for battle in ben)
    assert [battle.prompt for battle in ana] != [battle.prompt for battle in ben]


def test_what_is_before_the_voters_comes_first_then_where_the_evidence_is_widest(written: Path) -> None:
    order = list(dict.fromkeys(battle.experiment for battle in battles(written, ANA, 40)))
    rows = {row.experiment.number: row for row in Reader(written).rows()}
    assert rows[order[0]].experiment.state is State.EVALUATING
    widths = [rate.high - rate.low for number in order[1:] if (rate := getattr(rows[number].verdict, "win_rate", None))]
    assert len(widths) == len(order) - 1 >= 3
    assert widths == sorted(widths, reverse=True)


def test_a_pair_that_the_voter_has_voted_on_elsewhere_is_not_shown_again(folder: Path) -> None:
    before = battles(folder, ANA, 1)[0]
    vote = Vote(
        before.experiment, "k", ANA, before.prompt, before.model_b, before.model_a, Choice.TIE, False, 0.0
    )  # fmt: skip
    with Store(folder) as store:
        store.submit(writes.add_votes, [vote]).result()
    assert before.prompt not in {one.prompt for one in battles(folder, ANA, 40) if one.experiment == before.experiment}
    assert battles(folder, "person:ben", 40) != []


class OneVoteABattle:
    """Votes once on each battle, while a person votes at the dashboard."""

    simulated = False

    def __init__(self, store: Store) -> None:
        self.store = store

    async def cast(self, battles: Sequence[Asked], last: bool) -> AsyncGenerator[Vote | None]:
        for battle in battles:
            await self.store.do(
                writes.add_votes, [replace(battle.vote(ANA, Choice.A, False), key=f"person/{battle.id}")]
            )
            yield battle.vote("ben", Choice.TIE, False)


async def answers(wanted: Sequence[Any]) -> list[str]:
    return ["an answer"] * len(wanted)


def asked(count: int) -> list[Prompt]:
    return [Prompt(f"new-{place:03d}", ({"role": "user", "content": "Hi"},), None, "") for place in range(count)]


async def test_what_a_person_votes_at_the_dashboard_counts_in_the_evaluation_under_way(folder: Path) -> None:
    with Store(folder) as store:
        before = store.read.tally(4, "exp-0004", "exp-0001")
        terms = Terms(4, "exp-0004", "exp-0001", Rule(max_votes=2000), 2, 1, 600.0, 0.0, 7)
        contest = Contest(store, terms, asked(5), answers, OneVoteABattle(store))
        await contest.run()
        assert contest.means == store.read.voter_means(4, "exp-0004", "exp-0001")
        after = store.read.tally(4, "exp-0004", "exp-0001")
    assert after.decisive == before.decisive + 5
    assert after.ties == before.ties + 5


async def vote_at_the_dashboard(store: Store) -> None:
    """A person a pair, on every pair that is offered, as the runner counts it, for as long as it is not stopped."""
    while True:
        for battle in battles(store.folder, ANA, 200):
            if battle.experiment == 4:
                vote = Vote(
                    4,
                    f"person/{battle.prompt}",
                    f"person:{battle.prompt}",
                    battle.prompt,
                    battle.model_a,
                    battle.model_b,
                    Choice.A,
                    False,
                    0.0,
                )
                await store.do(writes.add_votes, [vote])
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("rule", "looked_at"), [(Rule(max_votes=2000), 40), (Rule(min_votes=20, max_votes=135), 16)])
async def test_who_votes_only_at_the_dashboard_brings_the_evaluation_to_its_end(
    folder: Path, rule: Rule, looked_at: int
) -> None:
    with Store(folder) as store:
        terms = Terms(4, "exp-0004", "exp-0001", rule, 1, 1, 600.0, 0.25, 7)
        contest = Contest(store, terms, asked(40), answers, FileVoters(folder, pytest.fail))
        person = asyncio.create_task(vote_at_the_dashboard(store))
        try:
            async with asyncio.timeout(10):
                await contest.run()
        finally:
            person.cancel()
        assert contest.asked == looked_at
        assert contest.means == store.read.voter_means(4, "exp-0004", "exp-0001")


async def test_a_voter_is_not_asked_on_a_pair_that_a_person_at_the_dashboard_has_voted_on(folder: Path) -> None:
    with Store(folder) as store:
        terms = Terms(4, "exp-0004", "exp-0001", Rule(max_votes=2000), 1, 1, 600.0, 0.0, 7)
        contest = Contest(store, terms, asked(5), answers, OneVoteABattle(store))
        await contest.run()
        voters = {vote.voter for vote in store.read.votes(4) if vote.prompt.startswith("new-")}
        assert voters == {ANA} and contest.means == store.read.voter_means(4, "exp-0004", "exp-0001")


def test_before_the_verdict_a_pair_is_offered_until_it_has_the_votes_that_count_and_after_it_to_everybody(
    folder: Path,
) -> None:
    with Store(folder) as store:
        one_vote = """UPDATE stages SET "order" = '{}' WHERE lane = 'evaluate'"""
        store.submit(lambda db: (db.execute("DELETE FROM votes"), db.execute(one_vote))).result()
        first = battles(folder, ANA, 3)
        votes = [
            Vote(4, battle.prompt, ANA, battle.prompt, battle.model_a, battle.model_b, Choice.A, False, 0.0)
            for battle in first
        ]
        store.submit(writes.add_votes, votes).result()
        offered = {one.prompt for one in battles(folder, "person:ben", 40) if one.experiment == 4}
        assert len(offered) == 5 and not offered & {one.prompt for one in first}
        store.submit(lambda db: db.execute("UPDATE experiments SET state = 'evaluated' WHERE number = 4")).result()
        assert full(store.read, store.read.experiment(4), "exp-0001", "exp-0004") == {one.prompt for one in first}
        store.submit(lambda db: db.execute("UPDATE experiments SET state = 'discarded' WHERE number = 4")).result()
        assert full(store.read, store.read.experiment(4), "exp-0001", "exp-0004") == set()


async def test_pairs_with_the_reference_come_where_a_voter_has_not_seen_the_candidate_and_are_named(
    folder: Path,
) -> None:
    with Store(folder) as store:
        store.submit(writes.add_answers, [Answer(4, "prompt-000", REFERENCE, "I am the reference")]).result()
        assert not [one for one in battles(folder, ANA, 8) if REFERENCE in (one.model_a, one.model_b)]
        few = """UPDATE stages SET "order" = '{"votes_per_prompt": 1}' WHERE lane = 'evaluate'"""
        store.submit(lambda db: db.execute(few)).result()
    recorded = Recorded()
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("a")
        await until_shown(pilot, "I am the reference", "left", "right")
        await pilot.press("left")
        screen = await until_shown(
            pilot, "You preferred", "the reference", "#4, candidate", "on #4 against the reference"
        )
    assert "opponent" not in screen and "simulated voters among" not in screen
    assert {recorded.steps[0][3]["model_a"], recorded.steps[0][3]["model_b"]} == {"exp-0004", REFERENCE}
