"""Rows of the sources: what is understood, what is named as broken, what may never be trained on, what is drawn."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.data import Selection, quotas, select
from lanes.order import HeldOut, Source, TrainOrder
from lanes.prompts import heldout_prompts
from lanes.rows import Broken, prompt_key, read_chats, read_pairs, read_prompts
from lanes.sources import DataError

SAMPLES = Path(__file__).parent.parent / "sample_data"


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def pair(number: int, **more: Any) -> dict[str, Any]:
    return {"prompt": f"question {number}?", "chosen": f"good {number}", "rejected": f"bad {number}", **more}


def order(tmp_path: Path, sources: dict[str, Path], data: dict[str, Any] | None = None, **more: Any) -> TrainOrder:
    recipe = {"method": more.pop("method", "dpo"), "data": {"mix": dict.fromkeys(sources, 1)} | (data or {})}
    places = {name: {"path": str(path)} for name, path in sources.items()}
    return TrainOrder.model_validate(
        {"experiment": 1, "model": "m", "recipe": recipe, "sources": places, "output": tmp_path / "out", **more}
    )


def drawn(selection: Selection) -> list[str]:
    return [row.prompt[-1]["content"] for row in selection.train]


CONVERSATION = [user("hello"), assistant("hi"), user("why?")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": CONVERSATION, "chosen": [assistant("a")], "rejected": [assistant("b")]},
        {"prompt": CONVERSATION, "chosen": "a", "rejected": "b"},
        {"chosen": [*CONVERSATION, assistant("a")], "rejected": [*CONVERSATION, assistant("b")]},
        {"prompt": "why?", "chosen": [*CONVERSATION, assistant("a")], "rejected": [*CONVERSATION, assistant("b")]},
    ],
    ids=["messages", "texts", "implicit prompt", "UltraFeedback"],
)
def test_every_shape_of_a_pair_is_the_same_pair(tmp_path: Path, row: dict[str, Any]) -> None:
    (found,) = read_pairs(Source(path=str(lines(tmp_path / "a.jsonl", row))), Broken(0))
    assert found.prompt == tuple(CONVERSATION)
    assert (found.answer, found.rejected) == ((assistant("a"),), (assistant("b"),))


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [user("why?"), assistant("a")]},
        {"messages": [user("why?"), assistant("a"), user("thanks")]},
        {"prompt": "why?", "completion": "a"},
        {"prompt": [user("why?")], "completion": [assistant("a")]},
        {"instruction": "why?", "input": "", "output": "a"},
        {"prompt": "why?", "chosen": "a", "rejected": "b"},
    ],
)
def test_every_shape_of_a_chat_is_the_same_chat(tmp_path: Path, row: dict[str, Any]) -> None:
    (found,) = read_chats(Source(path=str(lines(tmp_path / "a.jsonl", row))), Broken(0))
    assert (found.prompt, found.answer, found.rejected) == ((user("why?"),), (assistant("a"),), None)


def test_json_lists_csv_and_parquet_give_the_same_rows_as_json_lines(tmp_path: Path) -> None:
    import datasets

    rows = [pair(number, score_chosen=2.5, score_rejected=1.0) for number in range(3)]
    lines(tmp_path / "a.jsonl", *rows)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    table = datasets.Dataset.from_list(rows)
    table.to_csv(str(tmp_path / "a.csv"), index=False)
    table.to_parquet(str(tmp_path / "a.parquet"))
    read = [
        [(row.key, row.margin) for row in read_pairs(Source(path=str(tmp_path / f"a.{ending}")), Broken(0))]
        for ending in ("jsonl", "json", "csv", "parquet")
    ]
    assert read == [read[0]] * 4
    assert read[0][0][1] == 1.5


BROKEN = {
    "{": "is no JSON",
    "[1]": "is no JSON object",
    '{"prompt": "q", "chosen": "a"}': "has no field 'rejected'",
    '{"prompt": 3, "chosen": "a", "rejected": "b"}': "field 'prompt' is neither text nor a list of messages",
    '{"prompt": " ", "chosen": "a", "rejected": "b"}': "field 'prompt' is empty",
    '{"prompt": "q", "chosen": [{"role": "assistant"}], "rejected": "b"}': "field 'chosen' has a message without",
    '{"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": NaN, "score_rejected": 1}': "no finite number",
    '{"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": true, "score_rejected": 1}': "no finite number",
    '{"prompt": "q", "chosen": "\\ud800", "rejected": "b"}': "field 'chosen' is not valid Unicode",
    '{"prompt": "q", "chosen": "a", "rejected": "b", "language": 3}': "field 'language' is no text",
}


@pytest.mark.parametrize(("line", "why"), BROKEN.items())
def test_a_broken_line_is_named_with_its_file_number_and_reason(tmp_path: Path, line: str, why: str) -> None:
    source = lines(tmp_path / "mine.jsonl", pair(1), line, pair(2))
    with pytest.raises(DataError) as refused:
        select(order(tmp_path, {"mine": source}))
    assert str(refused.value).startswith("mine.jsonl:2 ")
    assert why in str(refused.value)
    assert "data.max_broken_rows" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_broken_lines_are_skipped_and_counted_up_to_the_limit_over_all_sources(tmp_path: Path) -> None:
    one = lines(tmp_path / "one.jsonl", pair(1), "{", "")
    two = lines(tmp_path / "two.jsonl", "{}", pair(2))
    selection = select(order(tmp_path, {"one": one, "two": two}, max_broken_rows=2))
    assert selection.broken == 2
    assert len(selection.train) == 2
    assert "2 broken rows skipped: one.jsonl:2 is no JSON" in selection.notes[0]
    with pytest.raises(DataError, match=r"two.jsonl:1 has no field 'chosen'; 1 broken rows are allowed"):
        select(order(tmp_path, {"one": one, "two": two}, max_broken_rows=1))


def test_a_line_that_is_not_utf8_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"prompt": "\xff"}\n')
    with pytest.raises(DataError, match=r"a.jsonl:1 is not UTF-8"):
        select(order(tmp_path, {"a": tmp_path / "a.jsonl"}))


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Data file .*nope.jsonl does not exist: correct the path"):
        select(order(tmp_path, {"a": tmp_path / "nope.jsonl"}))


@pytest.mark.parametrize(
    "row",
    [
        pair(7),
        {**pair(7), "prompt": "  QUESTION\t7? "},
        {**pair(7), "prompt": "ques\u200btion ７?"},
        {**pair(7), "prompt": [{"role": "system", "content": "Be kind."}, user("question 7?")]},
        {**pair(7), "prompt": [user("hello"), assistant("hi"), user("question 7?")]},
        {**pair(7), "prompt": [user("question 7?"), assistant("hi"), user("and then?")]},
    ],
    ids=["same", "case and spaces", "invisible and wide characters", "system message", "later turn", "earlier turn"],
)
def test_a_row_with_a_held_out_prompt_is_refused_or_dropped_as_the_program_says(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    source = lines(tmp_path / "a.jsonl", pair(1), row)
    prompts = lines(tmp_path / "held.jsonl", {"prompt": "question 7?"})
    pairs = lines(tmp_path / "pairs.jsonl", pair(7))
    for heldout in (HeldOut(prompts=str(prompts)), HeldOut(pairs=str(pairs))):
        with pytest.raises(DataError, match=r"'a' has a held-out prompt at a.jsonl:2: .*data.drop_heldout: true"):
            select(order(tmp_path, {"a": source}, heldout=heldout))
        selection = select(order(tmp_path, {"a": source}, heldout=heldout, drop_heldout=True))
        assert drawn(selection) == ["question 1?"]
        assert selection.notes == ("source 'a': 1 held-out rows left out",)


async def test_a_held_out_split_is_scored_asked_and_kept_out_of_training(tmp_path: Path) -> None:
    splits = tmp_path / "set"
    splits.mkdir()
    lines(splits / "train.jsonl", *(pair(number) for number in range(6)))
    lines(splits / "test.jsonl", *(pair(number) for number in range(4, 8)))
    held = Source(path=str(splits), split="test")
    for heldout in (HeldOut(pairs=held), HeldOut(prompts=held)):
        training = order(tmp_path, {"a": splits}, heldout=heldout, drop_heldout=True)
        selection = select(training)
        assert sorted(drawn(selection)) == [f"question {number}?" for number in range(4)]
    assert len(select(order(tmp_path, {"a": splits}, heldout=HeldOut(pairs=held), drop_heldout=True)).heldout) == 4
    prompts = await heldout_prompts(held, tmp_path / "cache", 0)
    assert [prompt.prompt[0]["content"] for prompt in prompts] == [f"question {number}?" for number in range(4, 8)]


def test_held_out_pairs_to_score_are_the_same_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    source = lines(tmp_path / "a.jsonl", pair(100))
    rows = [pair(number) for number in range(30)]
    scored = []
    for held in (rows, rows[::-1]):
        place = HeldOut(pairs=str(lines(tmp_path / "held.jsonl", *held)))
        scored.append([row.key for row in select(order(tmp_path, {"a": source}, heldout=place, eval_rows=8)).heldout])
    assert scored[0] == scored[1]
    assert len(scored[0]) == 8


def test_filters_let_pass_what_they_say(tmp_path: Path) -> None:
    source = lines(
        tmp_path / "a.jsonl",
        pair(1, score_chosen=3, score_rejected=1, language="en"),
        pair(2, score_chosen=2, score_rejected=1, language="de"),
        pair(3, language="en"),
        {**pair(4, score_chosen=9, score_rejected=1), "chosen": "a much longer answer than the others"},
        pair(1, score_chosen=3, score_rejected=1, language="en"),
    )

    def passing(**filters: Any) -> list[str]:
        found = drawn(select(order(tmp_path, {"a": source}, {"filters": filters})))
        return sorted(prompt.split()[1].rstrip("?") for prompt in found)

    assert passing() == ["1", "1", "2", "3", "4"]
    assert passing(min_margin=2) == ["1", "1", "4"]
    assert passing(languages=["de"]) == ["2"]
    assert passing(max_length=10) == ["1", "1", "2", "3"]
    assert passing(min_length=10) == ["4"]
    assert passing(deduplicate=True) == ["1", "2", "3", "4"]
    with pytest.raises(DataError, match=r"'a' has no row left of 5: loosen data.filters"):
        passing(min_length=1000)


def test_the_weights_decide_the_proportion_and_no_row_comes_twice(tmp_path: Path) -> None:
    sources = {
        name: lines(tmp_path / f"{name}.jsonl", *[pair(start + number) for number in range(100)])
        for name, start in (("a", 0), ("b", 1000), ("c", 2000))
    }
    found = select(order(tmp_path, sources, {"mix": {"a": 3, "b": 1, "c": 0}, "sample_size": 80}))
    numbers = [int(prompt.split()[1].rstrip("?")) for prompt in drawn(found)]
    assert Counter(number // 1000 for number in numbers) == {0: 60, 1: 20}
    assert len(set(numbers)) == 80


def test_a_source_that_is_too_small_gives_all_it_has_and_the_others_make_up_for_it(tmp_path: Path) -> None:
    small = lines(tmp_path / "s.jsonl", *[pair(number) for number in range(5)])
    large = lines(tmp_path / "l.jsonl", *[pair(100 + number) for number in range(100)])
    found = select(order(tmp_path, {"small": small, "large": large}, {"sample_size": 40}))
    assert len(found.train) == 40
    assert found.notes == ("source 'small' has 5 of the 20 rows of its share; it gives them all",)


def test_the_same_seed_draws_the_same_rows_and_a_larger_sample_contains_the_smaller(tmp_path: Path) -> None:
    source = {"a": lines(tmp_path / "a.jsonl", *[pair(number) for number in range(50)])}
    draw = {
        (size, seed): drawn(select(order(tmp_path, source, {"sample_size": size, "seed": seed})))
        for size in (10, 20)
        for seed in (0, 1)
    }
    assert draw[10, 0] == drawn(select(order(tmp_path, source, {"sample_size": 10})))
    assert set(draw[10, 0]) < set(draw[20, 0])
    assert draw[10, 0] != draw[10, 1]


NAMES = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 60), st.floats(0.01, 10)), min_size=1)


@given(NAMES, st.integers(1, 300))
def test_a_sample_is_as_large_as_wanted_or_all_there_is(rows: dict[str, tuple[int, float]], size: int) -> None:
    available = {name: count for name, (count, _) in rows.items()}
    given = quotas(available, {name: weight for name, (_, weight) in rows.items()}, size)
    assert sum(given.values()) == min(size, sum(available.values()))
    assert all(0 <= given[name] <= available[name] for name in available)


@given(NAMES)
def test_without_a_size_the_draw_keeps_the_proportion_to_within_a_row(rows: dict[str, tuple[int, float]]) -> None:
    available = {name: count for name, (count, _) in rows.items()}
    weights = {name: weight for name, (_, weight) in rows.items()}
    given = quotas(available, weights, None)
    total = sum(given.values())
    for name, weight in weights.items():
        assert given[name] <= available[name]
        assert abs(given[name] - total * weight / sum(weights.values())) <= len(weights)


def test_prompts_get_an_id_from_their_content_and_two_of_one_id_are_refused(tmp_path: Path) -> None:
    place = lines(tmp_path / "p.jsonl", {"prompt": "one?"}, {"id": 7, "prompt": [user("two?")], "language": "en"})
    first, second = read_prompts(Source(path=str(place)), Broken(0))
    assert first.id == prompt_key((user("One? "),))[:16]
    assert (second.id, second.language) == ("7", "en")
    lines(place, {"id": "x", "prompt": "one?"}, {"id": "x", "prompt": "two?"})
    with pytest.raises(DataError, match=r"p.jsonl:2 has the id 'x' of p.jsonl:1"):
        read_prompts(Source(path=str(place)), Broken(0))


def test_the_sample_data_can_be_trained_on_as_it_is(tmp_path: Path) -> None:
    held = HeldOut(pairs=str(SAMPLES / "heldout/pairs.jsonl"), prompts=str(SAMPLES / "heldout/prompts.jsonl"))
    for method, kind in (("dpo", "pairs"), ("sft", "chats")):
        sources = {name: SAMPLES / kind / f"{name}.jsonl" for name in ("expert", "traffic", "noisy")}
        found = select(order(tmp_path, sources, method=method, heldout=held))
        assert len(found.train) >= 600
        assert found.notes == ()
