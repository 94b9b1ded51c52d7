"""The page of one experiment: what is on it, that it follows the run, and the way to the next one."""

import shutil
from pathlib import Path

import pytest
from runs import write_run
from test_dashboard import WIDE, Recorded, choose, text_of, until, until_shown

from checkpoints import writes
from checkpoints.records import Answer, Change, Choice, Experiment, Lane, Proposal, Row, State, Step, Tally, Vote
from checkpoints.store import Store
from tui.app import Dashboard
from tui.evidence import count

TALL = (120, 90)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detail") / "run"
    write_run(folder, 12)
    with Store(folder) as store:
        store.submit(writes.add_prompts, [("prompt-000", "When does the library open?\nI am Ana.")]).result()
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


async def test_it_shows_the_evidence_the_recipe_beside_parent_and_champion_and_the_prompts_text(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=TALL) as pilot:
        await until_shown(pilot, "candidate #14")
        await choose(pilot, 5)
        await pilot.press("enter")
        screen = await until_shown(pilot, "Recipe over parent #1 and champion #10", "When does the library open?")
    for words in ("99 for it, 59 for its opponent", "62.7 %  [54.9, 69.8]", "57.8 %, with 100 even", "place 4 of 12"):
        assert words in screen
    differing = next(line for line in screen.splitlines() if line.strip().startswith("data.mix.expert"))
    assert differing.split() == ["data.mix.expert", "1.0", "1.5", "1.0"]
    assert "built on the keep #1; the later keep #10 contains it" in screen
    assert any("Hello Ana" in line and "Thank you" in line for line in screen.splitlines())


async def test_of_a_script_it_shows_what_the_file_has_otherwise_than_its_parents_not_the_file(tmp_path: Path) -> None:
    lines = [f"layer_{number} = {number}" for number in range(200)]
    edited = [*lines[:100], "layer_100 = 7", *lines[101:]]
    change = Change("train.py", "0" * 64, {"whole": "\n".join(edited) + "\n"})
    folder = tmp_path / "run"
    with Store(folder) as store:
        await store.do(writes.create_run, "script", "a lower loss", 5, 1)
        for number, text in enumerate((lines, edited)):
            await store.do(writes.propose, Proposal("it is faster", "code", change if number else None, "agent"))
            recipe = {"files": {"train.py": "\n".join(text) + "\n"}, "commit": f"c{number}"}
            await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe=recipe, parent=0 if number else None)
    async with Dashboard(folder, Recorded()).run_test(size=TALL) as pilot:
        await until_shown(pilot, "train.py")
        await choose(pilot, 1)
        await pilot.press("enter")
        screen = await until_shown(pilot, "Recipe over parent #0", "train.py beside parent #0")
    assert "-layer_100 = 100" in screen and "+layer_100 = 7" in screen and " layer_99 = 99" in screen
    assert "layer_90" not in screen and "… 180 more lines" in screen
    differing = next(line for line in screen.splitlines() if line.strip().startswith("commit"))
    assert differing.split() == ["commit", "c0", "c1"]


async def test_a_persons_steps_on_it_stand_there_with_their_reason_and_what_came_of_them(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #14")
        await choose(pilot, 8)
        await pilot.press("enter")
        await until_shown(pilot, "Verdict")
        await pilot.press("end")
        await until_shown(pilot, "veto: it forgets the user's name → keep #8 taken back")


async def test_what_a_person_undoes_of_that_comes_onto_the_open_page(folder: Path) -> None:
    with Store(folder) as store:
        async with Dashboard(folder, Recorded(), store.listen).run_test(size=WIDE) as pilot:
            await until_shown(pilot, "candidate #14")
            await choose(pilot, 8)
            await pilot.press("enter")
            await until_shown(pilot, "Verdict")
            await pilot.press("end")
            await until_shown(pilot, "veto: it forgets the user's name")
            await store.do(writes.intervene, Step.UNDO, None, "", {"of": 1})
            await pilot.press("end")
            await until_shown(pilot, "undo → not taken up yet")


async def test_it_follows_an_experiment_that_goes_on(folder: Path) -> None:
    with Store(folder) as store:
        async with Dashboard(folder, Recorded(), store.listen).run_test(size=WIDE) as pilot:
            await until_shown(pilot, "candidate #14")
            await choose(pilot, 13)
            await pilot.press("enter")
            await until_shown(pilot, "#13 ◆ voting", "none yet: 148 of 400 voters")
            await store.do(writes.cancel, 13, "a person saw enough of it")
            await until_shown(pilot, "#13 – cancelled", "a person saw enough of it")


async def test_left_and_right_go_along_the_table_without_going_back(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #14")
        await pilot.press("slash", *"kept", "enter")
        await until_shown(pilot, "4 of 15")
        await pilot.press("enter")
        await until_shown(pilot, "#10 ● kept")
        await pilot.press("right")
        await until_shown(pilot, "#5 ● kept", "Recipe over parent #1")
        await pilot.press("left", "left")
        await until_shown(pilot, "#10 ● kept")


async def test_a_small_terminal_reads_it_section_by_section(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=(60, 16)) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("enter")
        await until_shown(pilot, "#14", "Verdict", "more")
        await pilot.press("tab", "tab")
        await until(pilot, lambda: text_of(pilot.app).splitlines()[1].strip() == "Hypothesis")  # type: ignore[arg-type]
        await pilot.press("end")
        screen = await until_shown(pilot, "train", "started", "Esc back")
    assert "more" not in screen
    assert all(len(line) <= 60 for line in screen.splitlines())


async def test_a_very_long_answer_is_cut_and_its_rest_counted(folder: Path) -> None:
    with Store(folder) as store:
        long, evil = "word\x1b[2J " * 2000, "[red [/] \x1b]52;c;aGk=\x07 \u202egnp.exe"
        answers = [Answer(10, "a", "exp-0010", long), Answer(10, "a", "exp-0008", evil)]
        store.submit(writes.add_answers, answers).result()
        store.submit(writes.add_prompts, [("a", evil)]).result()
    async with Dashboard(folder, Recorded()).run_test(size=TALL) as pilot:
        await until_shown(pilot, "candidate #14")
        await choose(pilot, 10)
        await pilot.press("enter")
        await until_shown(pilot, "Samples")
        await pilot.press("end")
        screen = await until_shown(pilot, "… 16800 more characters", "[red [/]")
        assert not set(screen) & {"\x1b", "\x07", "\u202e"}


def test_votes_are_counted_for_the_model_for_the_place_and_for_the_person() -> None:
    experiment = Experiment(7, State.EVALUATING, Proposal("", "data", None, "agent"), {}, 3, 3, 0.0, None, "")
    votes = [
        Vote(7, "1", "sim-1", "p", "exp-0007", "exp-0003", Choice.A, True, 0.0),
        Vote(7, "2", "sim-2", "p", "exp-0003", "exp-0007", Choice.A, True, 0.0),
        Vote(7, "3", "person:ana", "q", "exp-0003", "exp-0007", Choice.B, False, 0.0),
        Vote(7, "4", "person:ana", "r", "exp-0003", "exp-0007", Choice.TIE, False, 0.0),
        Vote(7, "5", "sim-1", "p", "exp-0007", "reference", Choice.A, True, 0.0),
    ]
    counted = count(Row(experiment, None), votes)
    assert counted.tally == Tally(2, 1, 1)
    assert counted.first == Tally(3, 1, 1)
    assert (counted.voters, counted.simulated) == (3, 2)
    assert counted.people == {"person:ana": Tally(1, 0, 1)}
    assert counted.by_prompt["p"] == Tally(1, 1, 0)


async def test_a_store_that_cannot_be_read_is_told_on_the_page(folder: Path) -> None:
    async with Dashboard(folder, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "candidate #14")
        (folder / "run.db").rename(folder / "away.db")
        await pilot.press("enter")
        await until_shown(pilot, "cannot read all of it", "Hypothesis")
