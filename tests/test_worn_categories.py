"""No more than three of a category in a row without a keep: a zoom-out that names only what is worn out is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sleeping import PROGRAM
from speaking import Scripted
from test_zoom_out_asked import stock

from checkpoints import writes
from checkpoints.records import Change, Proposal
from checkpoints.store import Store
from runner.agent.agent import Agent
from runner.agent.playbook import Playbook
from runner.planner import Planner
from runner.program import Program

TRIED = ("data", "capacity", "optimiser", "loss", "loss", "loss")


def plan(folder: Path, *closed: str) -> Program:
    """Three of a category in a row are enough; some fields are closed."""
    text = PROGRAM.format(experiments=9, ahead=1, slots=1, ranks="1, 2, 16", policy="greedy")
    lines = text.replace("streak: 1000", "streak: 3").splitlines()
    left = (line for line in lines if not line.strip().startswith(tuple(f"{field}: {{" for field in closed)))
    return Program.parse("\n".join(left), folder / "program.md")


async def after(store: Store, *said: object) -> tuple[Planner, Scripted]:
    """A run whose last three changes were of the loss, and that has tried something of everything."""
    planner, fields = Planner(store, plan(store.folder), Playbook()), dict[str, str]()
    for field in planner.program.space.fields:
        fields.setdefault(planner.program.space.category_of(Change(field, None, None)), field)
    await store.do(writes.propose, Proposal("the program's own", "baseline", None, "program"))
    await store.do(writes.crash, 0, "told to")
    for step, category in enumerate(TRIED):
        change = Change(fields[category], None, 1 + step)
        number = await store.do(writes.put_forward, Proposal("it is", category, change, "test"), f"{step}")
        await store.do(writes.crash, number, "told to")
    model = Scripted(store, *said)
    planner.change_proposer(Agent(model, store))
    return planner, model


@pytest.mark.parametrize(
    ("said", "steering", "named", "turns"),
    [
        ([stock("loss"), stock("capacity", "loss")], "", ("capacity", "loss"), 2),
        ([stock("loss")], "", ("data", "loss"), 3),
        ([stock("loss")], "the loss once more", ("loss",), 1),
    ],
)
async def test_what_is_worn_out_is_named_alone_only_where_a_person_sends_there(
    tmp_path: Path, said: list[object], steering: str, named: tuple[str, ...], turns: int
) -> None:
    with Store(tmp_path) as store:
        planner, model = await after(store, *said)
        await planner.force_zoom_out(steering, lambda *_: None)
        assert store.read.zoom_outs()[-1].categories == named and len(model.asked) == turns
        if not steering:
            assert "loss" in (await planner.memory()).barred
            assert "only what is worn out: loss" in model.asked[1].messages[-1]["content"]


async def test_where_nothing_else_is_open_it_may_be_named_alone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        planner, model = await after(store, stock("loss"))
        closed = {*planner.program.space.fields} - {"training.beta"}
        planner.program = plan(store.folder, *closed)
        await planner.force_zoom_out("", lambda *_: None)
        assert store.read.zoom_outs()[-1].categories == ("loss",) and len(model.asked) == 1
