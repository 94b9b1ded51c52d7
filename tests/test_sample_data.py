"""The sample data: reproducible, small, held out where it says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
SOURCES = ("expert", "traffic", "noisy")
TEXTS = sorted(path.relative_to(SAMPLE_DATA).as_posix() for path in SAMPLE_DATA.glob("*/*.jsonl"))


def rows(path: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLE_DATA / path).read_text(encoding="utf-8").splitlines()]


def question(row: dict) -> str:
    messages = row["prompt"] if "prompt" in row else row["messages"]
    return " ".join(messages[-1 if "prompt" in row else 0]["content"].lower().split())


def test_the_text_files_come_out_byte_for_byte_when_made_again(tmp_path):
    command = [sys.executable, SAMPLE_DATA / "make.py", "--text-only", "--into", tmp_path]
    subprocess.run(command, check=True, timeout=60)
    made = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    assert made == {path: (SAMPLE_DATA / path).read_bytes() for path in TEXTS}


def test_every_source_has_pairs_and_chats():
    assert {f"{kind}/{source}.jsonl" for kind in ("pairs", "chats") for source in SOURCES} <= set(TEXTS)


def test_no_held_out_prompt_stands_in_a_training_file():
    heldout = {question(row) for path in TEXTS if path.startswith("heldout/") for row in rows(path)}
    training = {question(row) for path in TEXTS if not path.startswith("heldout/") for row in rows(path)}
    assert len(heldout) >= 400
    assert not heldout & training


def test_held_out_prompts_have_distinct_ids_and_texts():
    prompts = rows("heldout/prompts.jsonl")
    assert len(prompts) >= 400
    assert len({row["id"] for row in prompts}) == len({question(row) for row in prompts}) == len(prompts)


@pytest.mark.parametrize("path", [*(f"pairs/{source}.jsonl" for source in SOURCES), "heldout/pairs.jsonl"])
def test_pairs_are_conversational_and_scored_in_order(path):
    for row in rows(path):
        assert [message["role"] for message in row["prompt"]] == ["user"]
        assert [row[side][0]["role"] for side in ("chosen", "rejected")] == ["assistant", "assistant"]
        assert row["chosen"][0]["content"].strip()
        assert row["score_chosen"] >= row["score_rejected"]
        assert row["language"] in ("en", "de")


def test_only_the_traffic_mixes_writers():
    writers = {source: {row["writer"] for row in rows(f"pairs/{source}.jsonl")} for source in SOURCES}
    assert len(writers["expert"]) == 1
    assert len(writers["traffic"]) >= 3


def test_a_second_language_is_there_but_rare():
    pairs = [row for source in SOURCES for row in rows(f"pairs/{source}.jsonl")]
    assert 0.02 < sum(row["language"] == "de" for row in pairs) / len(pairs) < 0.15


def test_the_folder_is_small_enough_to_travel_in_the_wheel():
    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    assert size(SAMPLE_DATA / "model") < 3_000_000
    assert size(SAMPLE_DATA) < 4_000_000


@pytest.mark.slow
def test_the_model_loads_offline_and_answers_the_user_by_name():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(SAMPLE_DATA / "model", local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        SAMPLE_DATA / "model", local_files_only=True, dtype=torch.float32
    )
    asked = "Hi, I am Rosa. How do I prune roses?"
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], add_generation_prompt=True, tokenize=False
    )
    inputs = tokenizer(text, return_tensors="pt")
    torch.manual_seed(1)
    drawn = model.generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        do_sample=True,
        temperature=0.7,
        max_new_tokens=48,
        num_return_sequences=32,
    )
    answers = tokenizer.batch_decode(drawn[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert sum("Rosa" in answer for answer in answers) >= 4
    assert sum("prune roses" in answer for answer in answers) >= 8
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000


@pytest.mark.slow
def test_the_model_comes_out_the_same_when_trained_again(tmp_path):
    """Few steps, twice, in processes of their own; the whole training takes two minutes."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import make, make_text, make_model;"
        "base = make.rows(make_text.noisy_chats, 'base', 600);"
        "make_model.build([row['messages'] for row in base], Path(sys.argv[2]), steps=5)"
    )
    for name in ("once", "again"):
        subprocess.run(
            [sys.executable, "-c", code, SAMPLE_DATA, tmp_path / name],
            check=True,
            timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    for file in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "once" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
