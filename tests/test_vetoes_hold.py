"""A veto holds however the vetoed change is written: with more around it, as a repair, or by another name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from proposing import said
from speaking import Scripted
from sqlite_utils import Database
from test_proposals import BLANK, PLAN, refusal, tried

from checkpoints import writes
from checkpoints.records import Change, Json, Outcome, Proposal, State
from checkpoints.store import Store
from lanes.script.train_lane import NotRepaired
from runner.agent.checks import check
from runner.agent.memory import Memory, Tried
from runner.agent.proposal import read
from runner.change import ChangeRefused
from runner.script.repair import Mender
from runner.script.space import FileSpace

SPACE = FileSpace(("train.py",))
SCRIPT: Json = {"files": {"train.py": "DEPTH = 8\n\nLR = 1\n"}, "commit": None}
LATER: Json = {"files": {"train.py": "SEED = 3\nDEPTH = 8\nLR = 2\n"}, "commit": None}


def edit(*blocks: tuple[str, str], recipe: Json = SCRIPT) -> Change:
    edits = [{"search": search, "replace": replace} for search, replace in blocks]
    return SPACE.change({"field": "train.py", "new": {"edits": edits}}, recipe)


VETOED = Tried(1, "capacity", edit(("DEPTH = 8", "DEPTH = 99")), Outcome.KEEP, True, None, "too deep", parent=0)


def may(change: Change, recipe: Json = SCRIPT) -> str:
    """Why an edit is refused where another was vetoed; empty where it is not."""
    memory = Memory("g", "p", 0, recipe, SPACE, (VETOED,), frozenset(), (), None, in_votes=False)
    try:
        check(Proposal("h", "capacity", change, "m"), memory)
    except ChangeRefused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("recipe", [SCRIPT, LATER])
def test_a_vetoed_edit_is_refused_with_whatever_else_is_edited(recipe: Json) -> None:
    text = recipe["files"]["train.py"]
    whole = text.replace("DEPTH = 8", "DEPTH = 99   ") + "\n# a note\n"
    assert "vetoed this change as #1: too deep" in may(edit(("DEPTH = 8", "# deep\nDEPTH = 99"), recipe=recipe), recipe)
    assert "vetoed" in may(SPACE.change({"field": "train.py", "new": {"whole": whole}}, recipe), recipe)
    assert not may(edit(("DEPTH = 8", "DEPTH = 9"), recipe=recipe), recipe)


def test_a_vetoed_edit_whose_text_has_changed_since_is_known_by_its_blocks() -> None:
    vetoed = edit(("DEPTH = 8\n\nLR = 1", "DEPTH = 99\n\nLR = 1"))
    memory = Memory("g", "p", 0, LATER, SPACE, (replace(VETOED, change=vetoed),), frozenset(), (), None)
    with pytest.raises(ChangeRefused, match="vetoed"):
        check(Proposal("h", "capacity", edit(("DEPTH = 8", "DEPTH = 99"), recipe=LATER), "m"), memory)


async def test_a_repair_that_makes_a_vetoed_edit_is_refused_and_told_why(tmp_path: Path) -> None:
    crashed: Json = {"files": {"train.py": "DEPTH = 8\n\nLR = 1\nboom\n"}, "commit": None}
    mends = {"why": "w", "change": {"field": "train.py", "new": {"whole": "DEPTH = 8\n\nLR = 1\n# mended\n"}}}
    evades = {"why": "w", "change": {"field": "train.py", "new": {"whole": "DEPTH = 99\n\nLR = 1\n"}}}
    with Store(tmp_path) as store:
        await store.do(writes.create_run, "n", "g", 9, 7, None)
        await store.do(writes.propose, Proposal("b", "baseline", None, "program"))
        for change in (VETOED.change, edit(("LR = 1", "LR = 1\nboom"))):
            await store.do(writes.put_forward, Proposal("h", "capacity", change, "m"), "")
        await store.do(_set, 0, {"recipe": json.dumps(SCRIPT)})
        await store.do(_set, 1, {"state": State.VETOED, "note": "too deep"})
        experiment = replace(store.read.experiment(2), recipe=crashed, parent=0)
        model = Scripted(store, evades, mends)
        mender = Mender(store, lambda: SPACE, lambda: model)
        assert (await mender(experiment, "boom", "tail"))["files"]["train.py"].endswith("# mended\n")
        assert "vetoed this change as #1: too deep" in model.asked[1].messages[-1]["content"]
        model.said = [evades]
        with pytest.raises(NotRepaired, match="vetoed"):
            await mender(experiment, "boom", "tail")


def _set(db: Database, number: int, values: Json) -> None:
    db.table("experiments").update(number, values)


def test_the_same_mix_by_another_source_is_the_same_change() -> None:
    mix = PLAN.start["data"]["mix"]
    assert mix["a"] == mix["b"] == 1
    vetoed = tried(Change("data.mix.a", 1.0, 2.0), vetoed=True)
    assert "vetoed" in refusal(said("data.mix.b", 0.5, "data"), vetoed)
    check(read(said("data.mix.b", 0.6, "data"), vetoed, "m"), vetoed)
    once = tried(Change("data.mix.a", 1.0, 2.0))
    recalled = replace(once, hashes=frozenset({PLAN.space.canonical(once.tried[0].change, PLAN.start)}))
    assert "was tried before as #1" in refusal(said("data.mix.b", 0.5, "data"), recalled)
    assert "was tried before as #1" in refusal(said("data.mix.a", 2, "data"), once), "a hash of an older version"


def test_all_experiments_with_the_same_change_are_looked_at_and_not_the_newest_alone() -> None:
    change = Change("training.beta", 0.1, 0.2)
    memory = tried(change, memory=tried(change, memory=tried(change, memory=BLANK)))
    on_5 = replace(memory.tried[1], parent=5)
    judged = replace(memory, tried=(memory.tried[0], on_5))
    assert "#1 made the same change to the same recipe" in refusal(said(differs="luck"), judged)
    going = replace(memory, tried=(replace(on_5, outcome=None), replace(memory.tried[2], parent=6)))
    assert "is under way as #2" in refusal(said(differs="luck"), going)
    elsewhere = replace(memory, tried=(on_5,))
    check(read(said(differs="the champion is another one"), elsewhere, "m"), elsewhere)
