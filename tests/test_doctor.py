"""The doctor: what is there, what is missing, what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_model import NAME, fails, scripted_model

from runner.doctor import Finding, examine, healthy, render
from runner.init import init

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with the demo in it."""
    init("demo", tmp_path)
    return tmp_path


def finding(folder: Path, name: str) -> Finding:
    found = [each for each in examine(folder) if each.name == name]
    assert len(found) == 1
    return found[0]


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "program.md").read_text()
    assert old in text
    (folder / "program.md").write_text(text.replace(old, new))


def test_the_demo_lacks_nothing(demo: Path) -> None:
    findings = examine(demo)
    assert healthy(findings)
    assert {"python", "torch", "gpu", "memory", "disk", "port", "model", "data expert", "agent"} <= {
        each.name for each in findings
    }


def test_a_folder_without_a_program_is_told_how_to_get_one(tmp_path: Path) -> None:
    assert "`autoresearch-tui init`" in finding(tmp_path, "program").what
    assert not healthy(examine(tmp_path))


def test_an_invalid_program_is_shown_with_its_line(demo: Path) -> None:
    change(demo, "learning_rate: 3e-3", "learning_rate: 20")
    found = finding(demo, "program")
    assert found.status == "missing"
    assert "training.learning_rate: 20 is out of range" in found.what


def test_a_model_without_a_tokenizer_is_missing_something(demo: Path) -> None:
    (demo / "sample_data" / "model" / "tokenizer.json").unlink()
    found = finding(demo, "model")
    assert (found.status, found.what.split(" has ")[1]) == ("missing", "no tokenizer")


def test_a_model_of_the_hub_is_looked_for_in_the_cache_only(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = demo / "cache"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    change(demo, "model: sample_data/model", "model: org/some-model")
    assert (finding(demo, "model").status, finding(demo, "model").remedy) == (
        "warn",
        "the first training fetches it; needs network",
    )
    (cache / "models--org--some-model" / "snapshots" / "abc").mkdir(parents=True)
    assert finding(demo, "model").status == "ok"


def test_rows_and_broken_rows_are_counted_and_the_first_is_named(demo: Path) -> None:
    path = demo / "sample_data" / "pairs" / "noisy.jsonl"
    path.write_text(path.read_text() + "{broken\n")
    found = finding(demo, "data noisy")
    assert found.status == "warn"
    assert found.what.endswith("400 rows, 1 broken")
    assert "noisy.jsonl:401" in found.remedy


def test_more_broken_rows_than_the_program_allows_are_too_many(demo: Path) -> None:
    path = demo / "sample_data" / "pairs" / "noisy.jsonl"
    path.write_text(path.read_text() + "{broken\n" * 11)
    found = finding(demo, "broken rows")
    assert (found.status, found.what) == ("missing", "11, and data.max_broken_rows is 10")


def test_a_data_file_that_is_not_there_is_named(demo: Path) -> None:
    (demo / "sample_data" / "heldout" / "prompts.jsonl").unlink()
    found = finding(demo, "held-out prompts")
    assert found.status == "missing"
    assert "prompts.jsonl" in found.what


def test_training_rows_that_show_a_held_out_prompt_are_counted(demo: Path) -> None:
    heldout = json.loads((demo / "sample_data" / "heldout" / "prompts.jsonl").read_text().splitlines()[0])
    leak = {"prompt": heldout["prompt"], "chosen": "Yes.", "rejected": "No."}
    path = demo / "sample_data" / "pairs" / "expert.jsonl"
    path.write_text(path.read_text() + json.dumps(leak) + "\n")
    assert (finding(demo, "overlap").status, finding(demo, "overlap").what) == (
        "missing",
        "1 training rows show a held-out prompt",
    )
    change(demo, "max_broken_rows: 10", "drop_heldout: true")
    assert finding(demo, "overlap").status == "warn"


def test_too_few_prompts_for_the_votes_that_a_verdict_may_need_are_counted(demo: Path) -> None:
    path = demo / "sample_data" / "heldout" / "prompts.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    assert "votes" not in [each.name for each in examine(demo)]
    path.write_text("".join(lines[:100]))
    found = finding(demo, "votes")
    assert (found.status, found.what) == (
        "warn",
        "100 prompts with one vote on each give at most 100 votes; evaluate.max_votes is 400",
    )
    path.write_text("".join(lines[:10]))
    found = finding(demo, "votes")
    assert found.status == "missing" and "no verdict falls below evaluate.min_votes, 20" in found.what


def test_held_out_pairs_that_are_few_are_counted(demo: Path) -> None:
    change(demo, "judge: votes ", "judge: val_pref_acc ")
    path = demo / "sample_data" / "heldout" / "pairs.jsonl"
    assert "pairs" not in [each.name for each in examine(demo)]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:12]))
    assert (finding(demo, "pairs").status, finding(demo, "pairs").what) == (
        "warn",
        "12 held-out pairs: one of them is 8.3 points of val_pref_acc",
    )


def test_the_agent_is_asked_for_one_word_and_its_key_is_never_shown(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-7f3a")
    with scripted_model() as model:
        change(demo, "model: playbook  ", f"model: {NAME}\n  api_base: {model.base}  ")
        model.script(lambda asked: fails(401, f"{asked.headers['authorization']} is no key"))
        found = finding(demo, "agent")
    assert (found.status, found.what.partition(";")[0]) == (
        "missing",
        f"{NAME}: the key in the environment was refused",
    )
    assert [asked.prompt for asked in model.asked] == ["Say the word: ready"]
    assert "canary" not in render([found])


def test_without_a_gpu_the_training_is_on_the_cpu(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(demo))
    found = finding(demo, "gpu")
    assert (found.status, found.what) == ("warn", "no GPU: training on the CPU")


def test_a_gpu_is_named_as_its_driver_names_it(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = demo / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Some GPU, 81559 MiB, 570.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{demo}:/usr/bin:/bin")
    assert finding(demo, "gpu") == Finding("gpu", "ok", "Some GPU, 81559 MiB, 570.1")


def test_findings_are_shown_aligned_and_without_control_characters() -> None:
    shown = render([Finding("a", "ok", "fine"), Finding("longer", "missing", "gone\x1b]52;c;eA==\x07", "bring it")])
    assert shown.splitlines() == [
        "ok  a       fine",
        "×   longer  gone�]52;c;eA==�",
        "            → bring it",
    ]


def test_the_doctor_imports_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from runner.doctor import examine; examine(Path('.'));"
        "print(sorted({'torch', 'transformers', 'trl', 'peft', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
