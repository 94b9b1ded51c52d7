"""Writing a program to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lanes.order import Source
from runner.init import PLACES, InitError, demo_folder, init
from runner.program import Program

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with somebody's model and data in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "sample_data" / "model", tmp_path / "my model")
    for name in ("pairs.jsonl", "heldout.jsonl", "chats.jsonl", "prompts.jsonl"):
        (tmp_path / name).write_text("{}\n")
    return tmp_path


def test_the_demo_is_complete_where_it_was_written(tmp_path: Path) -> None:
    written = init("demo", tmp_path / "new" / "demo")
    assert written == [tmp_path / "new" / "demo" / "program.md", tmp_path / "new" / "demo" / "sample_data"]
    program = Program.read(tmp_path / "new" / "demo")
    assert program.missing() == ()
    assert program.model.name == str(tmp_path / "new" / "demo" / "sample_data" / "model")
    assert sorted(path.name for path in (tmp_path / "new" / "demo").iterdir()) == ["program.md", "sample_data"]


def test_the_demo_of_a_checkout_is_the_repository_itself() -> None:
    assert demo_folder() == ROOT


@pytest.mark.parametrize("template", ["study", "online"])
def test_a_template_is_valid_as_it_comes(template: str, tmp_path: Path) -> None:
    assert init(template, tmp_path) == [tmp_path / "program.md"]  # pyright: ignore[reportArgumentType]
    program = Program.read(tmp_path)
    assert program.name == template
    assert program.model.name == "HuggingFaceTB/SmolLM2-360M-Instruct"
    assert program.space.fields and program.prose


def test_a_study_as_it_comes_names_nothing_that_is_not_there(tmp_path: Path) -> None:
    init("study", tmp_path)
    program = Program.read(tmp_path)
    assert program.missing() == ()
    assert program.data.heldout.pairs == Source(path="trl-lib/ultrafeedback_binarized", split="test")


def test_a_study_of_ones_own_model_and_data_can_run_at_once(here: Path) -> None:
    init("study", here / "run", {"model": "my model", "pairs": "pairs.jsonl", "heldout": str(here / "heldout.jsonl")})
    program = Program.read(here / "run")
    assert program.missing() == ()
    assert program.model.name == str(here / "my model")
    assert (program.method, program.evaluate.judge) == ("dpo", "val_pref_acc")


def test_an_online_program_of_ones_own_data_can_run_at_once(here: Path) -> None:
    init("online", here, {"model": "my model", "chats": "chats.jsonl", "prompts": "prompts.jsonl"})
    program = Program.read(here)
    assert program.missing() == ()
    assert (program.method, program.evaluate.judge, program.evaluate.voters) == ("sft", "votes", "arena")
    assert 'chats: "chats.jsonl"' in program.text


def test_a_place_is_put_in_as_text_whatever_it_is_called(here: Path) -> None:
    strange = 'a "quoted": $model # {name}.jsonl'
    (here / strange).write_text("{}\n")
    init("study", here, {"pairs": strange, "heldout": "heldout.jsonl"})
    assert Program.read(here).data.sources["pairs"].path == str(here / strange)


def test_a_hub_id_stays_a_hub_id(here: Path) -> None:
    init("study", here, {"model": "org/model"})
    assert Program.read(here).model.name == "org/model"


@pytest.mark.parametrize("name", ["program.md", "sample_data"])
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InitError, match=f"{name} is in the way; nothing is overwritten"):
        init("demo", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("template", "places", "says"),
    [
        ("demo", {"model": "my model"}, "it takes no --model"),
        ("study", {"chats": "chats.jsonl"}, "study takes no --chats; it takes --model, --pairs, --heldout"),
        ("study", {"pairs": "pairs.jsonl"}, "needs --heldout too"),
        ("online", {"prompts": "prompts.jsonl"}, "needs --chats too"),
        ("study", {"model": "./no model"}, "./no model is not there; give a local path or a hub id"),
    ],
)
def test_places_that_do_not_fit_are_refused_before_anything_is_written(
    template: str, places: dict[str, str], says: str, here: Path
) -> None:
    with pytest.raises(InitError) as caught:
        init(template, here / "run", places)  # pyright: ignore[reportArgumentType]
    assert says in str(caught.value)
    assert not (here / "run").exists()


def test_a_folder_that_cannot_be_made_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InitError, match="cannot be written"):
        init("study", tmp_path / "file" / "folder")


def test_every_template_has_its_places_in_it() -> None:
    for template, places in PLACES.items():
        for name in places:
            assert f"${name}" in (ROOT / "runner" / "templates" / f"{template}.md").read_text()
