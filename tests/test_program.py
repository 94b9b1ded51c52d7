"""The program: what is accepted, what is refused, and how a refusal reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.order import Source
from runner.program import Program
from runner.program_error import ProgramError

ROOT = Path(__file__).resolve().parent.parent

LEAST = """\
---
goal: "shorter answers"
model: org/model
data:
  sources: {mine: pairs.jsonl}
  heldout: {prompts: prompts.jsonl}
---
"""


def parse(text: str, folder: Path = Path("/nowhere")) -> Program:
    return Program.parse(text, folder / "program.md")


def refusal(text: str) -> list[str]:
    with pytest.raises(ProgramError) as caught:
        parse(text)
    return str(caught.value).splitlines()


def least_with(lines: str) -> str:
    return LEAST.removesuffix("---\n") + lines + "---\n"


def test_the_program_of_the_repository_is_valid_and_everything_it_names_is_there() -> None:
    program = Program.read(ROOT)
    assert program.name == "demo"
    assert program.budget.experiments == 6
    assert program.missing() == ()
    assert set(program.recipe.data.mix) == set(program.data.sources)
    assert program.prose.startswith("# Better answers")


@pytest.mark.parametrize("place", ["localhost:8000", "http://me:hunter2@host/v1", "ftp://host/v1"])
def test_the_address_of_the_agents_service_is_a_url_without_a_key_in_it(place: str) -> None:
    [line] = refusal(least_with(f"agent: {{model: openai/x, api_base: '{place}'}}\n"))
    assert "agent.api_base" in line and "keys come from the environment" in line
    assert parse(least_with("agent: {model: openai/x, api_base: 'http://host:8000/v1'}\n")).agent.api_base


def test_only_goal_model_and_data_must_be_said() -> None:
    program = parse(LEAST)
    assert program.name == "nowhere"
    assert program.method == "dpo"
    assert program.recipe.data.mix == {"mine": 1.0}
    assert program.agent.model == "playbook"
    assert dict(program.space.fields) == {}


def test_a_recipe_line_without_a_value_counts_as_left_out() -> None:
    assert parse(least_with("recipe:\n  # learning_rate: 1\nbudget:\n")).recipe.lora.r == 16


def test_the_prose_is_passed_on_as_it_is() -> None:
    assert parse(LEAST + "\n# Title\n\n---\nA rule above, {braces} and *stars*.\n").prose == (
        "# Title\n\n---\nA rule above, {braces} and *stars*."
    )


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    assert parse("\ufeff" + LEAST.replace("\n", "\r\n")).goal == "shorter answers"


def test_sources_left_out_of_the_mix_have_weight_zero() -> None:
    text = LEAST.replace("{mine: pairs.jsonl}", "{mine: a.jsonl, other: b.jsonl}")
    program = parse(text.removesuffix("---\n") + "recipe: {data: {mix: {mine: 2}}}\n---\n")
    assert program.recipe.data.mix == {"mine": 2.0, "other": 0.0}


def test_one_line_says_file_line_field_what_is_wrong_and_what_is_allowed() -> None:
    assert refusal(least_with("recipe:\n  training:\n    learning_rate: 2.5\n")) == [
        "program.md:9: training.learning_rate: 2.5 is out of range; allowed: above 0, at most 1 (a float)"
    ]


def test_every_problem_has_its_line_and_they_come_in_the_order_of_the_file() -> None:
    lines = refusal(least_with("method: dpoo\nlora: {}\nrecipe:\n  lora: {r: 2.5, lora_dropout: 1}\nseed: -1\n"))
    assert [line.split(":")[1] for line in lines] == ["7", "8", "10", "10", "11"]
    assert lines[0] == "program.md:7: method: 'dpoo' does not fit; did you mean dpo?; allowed: one of dpo, sft"
    assert "lora.r: 2.5 does not fit; allowed: at least 1, at most 1024 (a whole number)" in lines[2]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("recipe: {training: {learning_rat: 1e-4}}\n", "training.learning_rat: is not known; did you mean learning_"),
        ("zoomout: {every: 3}\n", "zoomout: is not known; did you mean zoom_out?"),
        ("recipe: {training: {beta: .nan}}\n", "training.beta: nan is not a finite number; allowed: above 0 (a float)"),
        ("recipe: {training: {beta: nan}}\n", "training.beta: 'nan' is not a finite number"),
        ("budget: {hours: .inf}\n", "budget.hours: inf is not a finite number"),
        ("recipe: {lora: {r: true}}\n", "lora.r: true: a number is needed, not a boolean"),
        ("budget: 7\n", "budget: 7 does not fit; allowed: a mapping with experiments"),
        ("recipe: {lora: {target_modules: 5}}\n", "lora.target_modules: 5 does not fit; allowed: all-linear or a list"),
        ("recipe: {method: sft}\n", "recipe.method: contradicts the method above"),
        ("recipe: {data: {mix: {mien: 1}}}\n", "mix.mien: there is no such source in data.sources; did you mean mine"),
        ("recipe: {data: {mix: {mine: 0}}}\n", "data.mix needs at least one source with a weight above 0"),
        ("evaluate: {judge: val_pref_acc}\n", "data.heldout.pairs: is missing"),
        (
            "evaluate: {judge: val_pref_acc}\ntrain: {eval_rows: 1}\n",
            "train.eval_rows: 1 pairs give no val_pref_acc; allowed: at least 2",
        ),
        ("evaluate: {min_votes: 50, max_votes: 20}\n", "evaluate.max_votes: 20 is below evaluate.min_votes, 50"),
        ("evaluate: {lift: 0.2}\n", "evaluate.lift: 0.2 is out of range; allowed: above 0, below 0.166667 (a float)"),
        ("method: sft\nrecipe: {training: {beta: 0.2}}\n", "training.beta: has no effect with method: sft"),
        ("name: two words\n", "name: 'two words' does not fit; allowed: letters, digits"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_the_reason(line: str, says: str) -> None:
    assert any(says in problem for problem in refusal(least_with(line)))


@pytest.mark.parametrize(
    ("knob", "says"),
    [
        ("training.learning_rat: {min: 1e-5, max: 1e-3}", "no such field; did you mean learning_rate?"),
        ("training: {choices: [1, 2]}", "a part of the recipe, not a field"),
        ("evaluate.alpha: {min: 0.01, max: 0.4}", "not open to change"),
        ("method: {choices: [dpo, sft]}", "not open to change"),
        ("data.mix.other: {min: 0, max: 4}", "the recipe has no such field"),
        (
            "training.learning_rate: {min: 1e-3, max: 1e-2}",
            "the recipe starts with 5e-05, which is outside; allowed: 0.001",
        ),
        ("training.learning_rate: {min: 1e-6, max: 2}", "2.0 does not fit; allowed: above 0, at most 1 (a float)"),
        ("training.learning_rate: {min: 0, max: 1, scale: log}", "scale: log needs a min above 0"),
        ("training.learning_rate: {min: 1e-2, max: 1e-4}", "min 0.01 is not below max 0.0001"),
        ("training.learning_rate: {min: 1e-6}", "needs both min and max, or choices"),
        ("training.loss_type: {min: 0, max: 1}", "is not a number; allowed: {choices"),
        ("training.loss_type: {choices: [[sigmoid], [sigmoidd]]}", "['sigmoidd'] does not fit"),
        ("lora.r: {choices: [4, 8]}", "the recipe starts with 16, which is outside; allowed: one of 4, 8"),
        ("lora.r: {min: 4.5, max: 32}", "4.5 does not fit; allowed: at least 1"),
        ("lora.r: {choices: [16], min: 1}", "space.lora.r"),
    ],
)
def test_a_space_that_the_recipe_does_not_fit_is_refused(knob: str, says: str) -> None:
    problems = refusal(least_with(f"space:\n  {knob}\n"))
    assert all(problem.startswith("program.md:8: space.") for problem in problems)
    assert any(says in problem for problem in problems)


def test_a_dpo_field_in_the_space_of_an_sft_program_is_refused() -> None:
    problems = refusal(least_with("method: sft\nspace: {training.beta: {min: 0.01, max: 1}}\n"))
    assert problems == [
        "program.md:8: space.training.beta: has no effect with method: sft; allowed: leave it out, or method: dpo"
    ]


def test_a_preference_metric_without_preferences_is_explained() -> None:
    text = least_with("method: sft\nevaluate: {judge: val_pref_acc}\n").replace("{prompts:", "{pairs:")
    assert "val_pref_acc compares a policy with its DPO reference, and method: sft has none" in refusal(text)[0]


def test_votes_without_held_out_prompts_are_refused_where_they_are_missing() -> None:
    problems = refusal(LEAST.replace("heldout: {prompts: prompts.jsonl}", "heldout: {}"))
    assert problems[0].startswith("program.md:6: data.heldout.prompts: is missing: evaluate.judge: votes needs")


def test_a_url_is_refused_for_what_only_files_and_the_hub_can_give() -> None:
    text = LEAST.replace("org/model", "s3://bucket/model").replace("pairs.jsonl", "https://host/pairs.jsonl")
    assert [problem.split(" is a URL, which is not read")[0] for problem in refusal(text)] == [
        "program.md:3: model: 's3://bucket/model'",
        "program.md:5: data.sources.mine: 'https://host/pairs.jsonl'",
    ]


def test_a_missing_field_is_named_at_the_part_that_lacks_it() -> None:
    problems = refusal("---\nmodel: org/model\ndata:\n  heldout: {prompts: p.jsonl}\n---\n")
    assert problems == [
        "program.md:2: goal: is missing; allowed: text",
        "program.md:3: data.sources: is missing; allowed: a mapping from names to files or hub ids, at least one",
    ]


def test_without_front_matter_the_error_shows_lines_that_work() -> None:
    with pytest.raises(ProgramError) as caught:
        parse("# Only prose\n")
    first, shown = str(caught.value).split("\n", 1)
    assert first == "program.md:1: there is no front matter; begin the file with these lines:"
    assert parse(shown + "\n# Only prose\n").prose == "# Only prose"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("---\ngoal: x\n", "program.md:1: the front matter never ends"),
        ("---\n---\n", "program.md:1: the front matter has no fields"),
        ("---\n- a\n---\n", "program.md:1: the front matter has no fields"),
        ("---\ngoal: x\nmodel: [a\n---\n", "program.md:3: not YAML: while parsing a flow sequence"),
        ("---\ngoal: x\n\tmodel: a\n---\n", "program.md:3: not YAML"),
        ("---\ngoal: !!python/name:os.system x\n---\n", "program.md:2: not YAML: could not determine a constructor"),
        ("---\ngoal: \x07\n---\n", "program.md:1: not YAML"),
        ("---\ngoal: &a [*a]\n---\n", "program.md:2: goal: [[...]] does not fit"),
    ],
)
def test_what_is_no_front_matter_is_refused_with_its_line(text: str, says: str) -> None:
    assert refusal(text)[0].startswith(says)


def test_front_matter_nested_without_end_is_refused() -> None:
    assert refusal(f"---\ngoal: {'[' * 1000}\n---\n")[0].endswith("nested too deeply")


def test_a_key_that_stands_twice_is_an_error_that_names_both_lines() -> None:
    problems = refusal(least_with("budget:\n  hours: 1\n  hours: 2\n"))
    assert problems == ["program.md:9: hours: stands here twice, first in line 8"]


def test_numbers_are_read_as_people_write_them_and_no_is_norwegian() -> None:
    text = least_with("recipe:\n  training: {learning_rate: 1e-4}\n  data: {filters: {languages: [no, en]}}\n")
    program = parse(text)
    assert program.recipe.training.learning_rate == 1e-4
    assert program.recipe.data.filters.languages == ("no", "en")


def test_local_places_become_absolute_and_hub_ids_stay(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").mkdir()
    text = least_with("upload: {url: published}\n").replace("org/model", "models/mine")
    program = parse(text.replace("mine: pairs.jsonl", "mine: pairs.jsonl, hub: org/pairs"), tmp_path)
    assert program.model.name == str(tmp_path / "models" / "mine")
    assert {name: source.path for name, source in program.data.sources.items()} == {
        "mine": str(tmp_path / "pairs.jsonl"),
        "hub": "org/pairs",
    }
    assert program.data.heldout.prompts == Source(path=str(tmp_path / "prompts.jsonl"))
    assert program.upload.url == str(tmp_path / "published")


def test_held_out_rows_may_be_a_split_of_a_hub_data_set(tmp_path: Path) -> None:
    split = "{prompts: {path: org/pairs, split: test, revision: abc}, pairs: {path: held.jsonl}}"
    heldout = parse(LEAST.replace("{prompts: prompts.jsonl}", split), tmp_path).data.heldout
    assert heldout.prompts == Source(path="org/pairs", split="test", revision="abc")
    assert heldout.pairs == Source(path=str(tmp_path / "held.jsonl"))


def test_what_is_wrong_with_a_held_out_source_is_named_with_its_field(tmp_path: Path) -> None:
    def told(source: str) -> str:
        return refusal(LEAST.replace("prompts.jsonl", source))[0]

    assert told("{path: org/a, spilt: test}").startswith(
        "program.md:6: data.heldout.prompts.spilt: is not known; did you mean split?; allowed: path, revision, split"
    )
    assert "data.heldout.prompts: 7 does not fit" in told("7")
    assert "allowed: a local file, a hub id or {path, split, revision}" in told("7")
    assert "data.heldout.prompts: 's3://b/p.jsonl' is a URL, which is not read" in told("s3://b/p.jsonl")
    lacking = parse(LEAST.replace("prompts.jsonl", "{path: held.jsonl}"), tmp_path).missing()
    assert [line.split(" is not there")[0] for line in lacking][-1].startswith("program.md:6: data.heldout.prompts: ")


def test_a_model_and_a_source_may_say_more_than_their_place() -> None:
    text = LEAST.replace("model: org/model", "model: {name: org/model, revision: abc}")
    program = parse(text.replace("{mine: pairs.jsonl}", "{mine: {path: org/pairs, split: train_prefs}}"))
    assert (program.model.name, program.model.revision, program.model.trust_remote_code) == ("org/model", "abc", False)
    assert program.data.sources["mine"].split == "train_prefs"


def test_a_local_place_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "prompts.jsonl").write_text("")
    missing = parse(LEAST.replace("org/model", "models/mnie"), tmp_path).missing()
    assert [line.split(" is not there")[0] for line in missing] == [
        f"program.md:3: model: '{tmp_path}/models/mnie'",
        f"program.md:5: data.sources.mine: '{tmp_path}/pairs.jsonl'",
    ]


def test_a_file_that_cannot_be_read_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="is not there; `autoresearch-tui init`"):
        Program.read(tmp_path / "program.md")
    (tmp_path / "program.md").write_bytes(b"---\ngoal: \xff\n---\n")
    with pytest.raises(ProgramError, match="byte 11 is not UTF-8"):
        Program.read(tmp_path)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for body in (text, f"---\n{text}\n---\n", least_with(f"{text}\n"), least_with(f"space: {text}\n")):
        try:
            parse(body)
        except ProgramError as error:
            assert str(error)


def test_reading_a_program_imports_no_heavy_library() -> None:
    code = "import runner.program, sys; print(sorted({'torch', 'numpy', 'datasets', 'textual'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
