"""The flywheel: what users preferred becomes training rows, with consent, once each, and never a held-out prompt."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import Change, Choice, Experiment, Json, Lane, Proposal, State
from checkpoints.store import Store
from lanes.arena import on_policy
from lanes.arena.ballots import Ballot, Pair, Source
from lanes.arena.ledger import Ledger
from lanes.data import select
from lanes.lane import StageFailed
from lanes.order import HeldOut, TrainOrder
from lanes.order import Source as Rows
from lanes.recipe import Recipe
from lanes.train import TrainLane, TrainSettings
from runner.program import Program, ProgramError

OURS, THEIRS = "exp-0001", "exp-0000"


def battle(run: Path, name: str, prompt: str = "", *, consent: bool = True, source: Source = Source.PRODUCT) -> Pair:
    """A battle that a product has shown: ours good, theirs bad."""
    said = ({"role": "user", "content": prompt or f"How do I {name}?"},)
    pair = Pair(
        name, 1, 0, name, said, OURS, THEIRS, f"good {name}", f"bad {name}", source, consent, False, time.time()
    )  # fmt: skip
    with Ledger(run / "arena") as ledger:
        ledger.add_pairs([pair])
    return pair


def vote(run: Path, pair: Pair, choices: str, *, consent: bool = True, voter: str = "voter") -> None:
    """A voter a letter: a, b or t for about equal."""
    meant = {"a": Choice.A, "b": Choice.B, "t": Choice.TIE}
    ballots = [
        Ballot(
            f"{pair.id}/{voter}/{place}", pair.id, pair.source, pair.prompt, pair.model_a, pair.model_b, 1, 0,
            f"{voter}-{place}", meant[letter], "", None, consent, False, time.time(),
        )
        for place, letter in enumerate(choices)
    ]  # fmt: skip
    with Ledger(run / "arena") as ledger:
        ledger.add_ballots(ballots)


def rows(run: Path, *excluded: str, heldout: HeldOut | None = None) -> list[Json]:
    return list(on_policy.rows(run, on_policy.last_ballot(run), excluded, heldout or HeldOut()))


def test_what_most_voters_preferred_is_the_chosen_answer_and_its_writer_is_kept(tmp_path: Path) -> None:
    assert rows(tmp_path) == []
    vote(tmp_path, battle(tmp_path, "bake"), "aab")
    vote(tmp_path, battle(tmp_path, "fry"), "b")
    vote(tmp_path, battle(tmp_path, "boil"), "abtt")
    baked, fried = rows(tmp_path)
    assert (baked["chosen"], baked["rejected"], baked["chosen_model"]) == ("good bake", "bad bake", OURS)
    assert (baked["score_chosen"], baked["score_rejected"]) == (2, 1)
    assert (fried["chosen"], fried["chosen_model"], fried["rejected_model"]) == ("bad fry", THEIRS, OURS)


def test_without_consent_or_by_an_excluded_voter_or_on_the_voting_page_nothing_becomes_a_row(tmp_path: Path) -> None:
    vote(tmp_path, battle(tmp_path, "bake", consent=False), "a")
    vote(tmp_path, battle(tmp_path, "fry"), "a", consent=False)
    vote(tmp_path, battle(tmp_path, "boil", source=Source.HELDOUT), "a")
    vote(tmp_path, battle(tmp_path, "stew"), "a", voter="bot")
    assert [row["chosen"] for row in rows(tmp_path)] == ["good stew"]
    assert rows(tmp_path, "bot-0") == []


def test_a_held_out_prompt_and_the_same_battle_again_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "held.jsonl").write_text(json.dumps({"prompt": "how do i  BAKE?"}) + "\n")
    held = HeldOut(prompts=Rows(path=str(tmp_path / "held.jsonl")))
    vote(tmp_path, battle(tmp_path, "bake"), "a")
    vote(tmp_path, battle(tmp_path, "fry"), "a")
    again = battle(tmp_path, "again", "How do I fry?")
    with Ledger(tmp_path / "arena") as ledger:
        ledger.add_pairs([again])
    assert [row["chosen"] for row in rows(tmp_path, heldout=held)] == ["good fry"]


def settings(**more: object) -> TrainSettings:
    given = {"model": "m", "sources": {"own": Rows(path="own.jsonl"), "users": Rows(path="arena")}, "standby": False}
    return TrainSettings(**(given | more))  # type: ignore[arg-type]


def recipe(users: float) -> Json:
    return Recipe.model_validate({"method": "dpo", "data": {"mix": {"own": 1, "users": users}}}).model_dump(mode="json")


def experiment(number: int, users: float, field: str, parent: int | None = None) -> Experiment:
    proposal = Proposal("belief", "data", Change(field, 0, users), "person")
    return Experiment(number, State.PROPOSED, proposal, recipe(users), parent, None, 0.0, None, "")


async def test_a_training_sees_the_votes_of_its_order_and_its_child_the_same_ones(tmp_path: Path) -> None:
    for place in range(on_policy.FEWEST):
        vote(tmp_path, battle(tmp_path, f"bake {place}"), "a")
    with Store(tmp_path) as store:
        lane = TrainLane(store, settings())
        for number in range(2):
            await store.do(writes.propose, Proposal(f"belief {number}", "data", None, "person"))
        assert "on_policy" not in lane.order(experiment(0, 0, "data.mix.own"))
        order = lane.order(experiment(1, 1, "data.mix.users"))
        vote(tmp_path, battle(tmp_path, "a later one"), "a")
        attempt = await store.do(writes.start_stage, 1, Lane.TRAIN, order)
        await store.do(writes.finish_stage, 1, Lane.TRAIN, attempt, {}, 1.0)
        child = lane.order(experiment(2, 1, "training.beta", parent=1))
        more = lane.order(experiment(2, 2, "data.mix.users", parent=1))
    assert order["on_policy"]["ballots"] == child["on_policy"]["ballots"] == on_policy.FEWEST
    assert more["on_policy"]["ballots"] == on_policy.FEWEST + 1
    votes = on_policy.OnPolicy.model_validate(order["on_policy"])
    assert on_policy.write(tmp_path, votes, HeldOut()) == on_policy.FEWEST
    train = TrainOrder.model_validate(order["train"])
    assert train.sources["users"].path == str(votes.file) and train.sources["own"].path == "own.jsonl"
    only_users = train.recipe.model_copy(update={"data": train.recipe.data.model_copy(update={"mix": {"users": 1.0}})})
    chosen = select(train.model_copy(update={"recipe": only_users})).train
    assert len(chosen) == on_policy.FEWEST and {row.margin for row in chosen} == {1.0}


async def test_too_few_votes_are_said_before_anything_is_trained(tmp_path: Path) -> None:
    vote(tmp_path, battle(tmp_path, "bake"), "a")
    with Store(tmp_path) as store:
        lane = TrainLane(store, settings())
        for number in range(2):
            await store.do(writes.propose, Proposal(f"belief {number}", "data", None, "person"))
        order = lane.order(experiment(1, 1, "data.mix.users"))
        await store.do(writes.start_stage, 1, Lane.TRAIN, order)
        stage = store.read.open_stage(Lane.TRAIN)
        assert stage is not None
        with pytest.raises(StageFailed, match="users' votes give 1 rows of the 20 needed"):
            await lane.run(stage)


PROGRAM = """---
goal: better
model: m
data:
  sources: {{own: own.jsonl, users: arena}}
  heldout: {{prompts: prompts.jsonl}}
recipe: {{data: {{mix: {{own: 1, users: {share}}}}}}}
space: {{"data.mix.users": {{min: 0, max: 2}}}}
evaluate: {{voters: {voters}}}
---
"""


def test_users_votes_are_a_source_that_starts_at_weight_0(tmp_path: Path) -> None:
    program = Program.parse(PROGRAM.format(share=0, voters="arena"), tmp_path / "program.md")
    assert program.data.sources["users"].path == "arena"
    with pytest.raises(ProgramError, match="starts above 0, and there are no votes before"):
        Program.parse(PROGRAM.format(share=1, voters="arena"), tmp_path / "program.md")
    with pytest.raises(ProgramError, match="nobody votes there"):
        Program.parse(PROGRAM.format(share=0, voters="file"), tmp_path / "program.md")
