"""The histories of other loops: read without losing a row, and judged by their noise."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import VOTES

from runner.replay.history import Fate, History
from runner.replay.judged import judge, threshold
from runner.replay.tables import read_table
from tui.main import main

HISTORIES = VOTES.parent / "histories"
published = pytest.mark.skipif(not HISTORIES.is_dir(), reason="the published histories are not part of the project")
HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["replay", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def history(*rows: tuple[float, str, str]) -> History:
    lines = [f"c{number}\t{value}\t1.0\t{status}\t{words}" for number, (value, status, words) in enumerate(rows)]
    return read_table(HEADER + "\n".join(lines), "val_bpb", False)


@published
def test_the_original_record_has_four_keeps_that_stand_and_eighteen_within_the_noise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = said(capsys, str(HISTORIES / "karpathy_h100.tsv"), "--metric", "val_bpb", "--direction", "min")
    stands = [keep["stands"] for keep in found["keeps"]]
    assert (stands.count(True), stands.count(False), stands.count(None)) == (4, 18, 1)
    assert found["noise_sd"] == pytest.approx(0.000695 / math.sqrt(2), rel=1e-3)  # the one run that changed the seed
    assert found["noise_freedom"] == 1 and not any(keep["sure"] for keep in found["keeps"])
    assert found["winner"]["recorded"] == 0.969686 and found["winner"]["overstated"] > 0.0007
    assert {"data", "adapter"} <= set(found["never_tried"]) and found["plateaus"]


@published
@pytest.mark.parametrize(
    ("name", "metric", "runs", "keeps"),
    [
        ("karpathy_h100.tsv", "val_bpb", 126, 23),
        ("loop_116_rows.tsv", "val_bpb", 116, 25),
        ("newlines_in_descriptions.tsv", "metric_after", 440, 0),
        ("no_status_column.tsv", "val_bpb", 10, 7),
        ("pi_parameter_golf.jsonl", "best_val_bpb", 14, 3),
        ("pi_shopify_liquid.jsonl", "combined_µs", 23, 7),
    ],
)
def test_every_run_of_a_record_found_in_the_wild_is_there(
    name: str, metric: str, runs: int, keeps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, str(HISTORIES / name), "--metric", metric, "--direction", "min")
    assert (found["runs"], len(found["keeps"])) == (runs, keeps)


def test_a_description_with_newlines_and_tabs_is_one_row_and_what_lacks_is_said() -> None:
    rows = "a\t1.0\t2\tkeep\tbaseline\nb\t0.9\t2\tkeep\tfirst\n```python\nimport os\n```\n"
    rows += "c\tnan\t2\tdiscard\tx\ty\nd\t0.8\t2"
    found = read_table(HEADER + rows, "val_bpb", False)
    assert [one.line for one in found.entries] == [2, 3, 7, 8]
    assert found.entries[1].description == "first\n```python\nimport os\n```"
    assert found.entries[2].description == "x\ty" and found.entries[2].value is None
    assert found.entries[3].fate is Fate.UNKNOWN and found.entries[3].value == 0.8
    told = "\n".join(found.complaints)
    for words in ("line 3: its last column goes on", "line 7: val_bpb is 'nan'", "line 8: 3 of 5 columns"):
        assert words in told


def test_a_keep_stands_above_the_threshold_only_and_the_first_was_compared_with_nothing() -> None:
    sd = 0.01
    bound = threshold(sd)
    assert bound == pytest.approx(1.6449 * sd * math.sqrt(2), rel=1e-4)
    rows = (1.0, "keep", "baseline"), (1.0 - 1.01 * bound, "keep", "lr"), (1.0 - 2.0 * bound, "keep", "depth")
    assert [keep.stands for keep in judge(history(*rows), sd).keeps] == [None, True, False]


def test_noise_is_pooled_over_runs_that_change_the_seed_only_and_a_repeated_number_is_none() -> None:
    base = (1.0, "keep", "baseline")
    noise = judge(history(base, (1.02, "discard", "another seed"), (0.98, "discard", "seed 1 to 2"))).noise
    assert noise and noise.sd == pytest.approx(0.02) and noise.freedom == 2
    assert judge(history(base, (1.0, "discard", "same config"))).noise is None
    assert judge(history(base, (0.9, "keep", "lr 2"), (0.95, "discard", "lr 3"))).noise is None


def test_the_same_words_on_another_champion_are_another_recipe() -> None:
    rows = (1.0, "keep", "baseline"), (1.1, "discard", "lr 2"), (0.9, "keep", "depth 9"), (1.2, "discard", "lr 2")
    assert judge(history(*rows)).noise is None
    assert judge(history(*rows, (1.3, "discard", "lr 2"))).noise is not None


def test_a_crash_is_no_value_and_never_a_best_and_ends_no_plateau() -> None:
    rows = [(1.0, "keep", "baseline"), *[(0.0, "crash", f"lr {n}") for n in range(5)]]
    found = judge(history(*rows), 0.01)
    assert [plateau.row for plateau in found.plateaus] == [6]
    assert found.winner and found.winner.entry.row == 1


def test_a_winner_picked_from_many_worthless_runs_is_worth_less_than_it_says() -> None:
    """Nothing works, and single runs are kept when they beat the record: what is left over is luck."""
    import random

    draw = random.Random(1)
    truth, overstated, told = 1.0, [], []
    for _ in range(40):
        best, rows = math.inf, []
        for number in range(50):
            value = draw.gauss(truth, 0.01)
            rows.append((value, "keep" if value < best else "discard", f"lr {number}"))
            best = min(best, value)
        winner = judge(history(*rows), 0.01).winner
        assert winner
        overstated.append(truth - winner.entry.value)
        told.append(truth - winner.value)
    assert sum(overstated) / 40 > 0.02 > 0.012 > sum(told) / 40


@given(st.lists(st.tuples(st.floats(-10, 10), st.booleans()), min_size=1, max_size=30), st.floats(0.001, 1))
def test_turning_the_metric_round_turns_nothing_else_round(runs: list[tuple[float, bool]], sd: float) -> None:
    rows = [(value, "keep" if kept else "discard", f"lr {number}") for number, (value, kept) in enumerate(runs)]
    down = judge(history(*rows), sd)
    lines = "\n".join(f"c\t{-value}\t1\t{status}\t{words}" for value, status, words in rows)
    up = judge(read_table(HEADER + lines, "val_bpb", True), sd)
    assert [keep.stands for keep in down.keeps] == [keep.stands for keep in up.keeps]
    assert down.plateaus == up.plateaus
    assert (down.winner is None) == (up.winner is None)
    if down.winner and up.winner:
        assert down.winner.overstated == pytest.approx(up.winner.overstated, abs=1e-9)


@pytest.mark.parametrize(
    ("content", "metric", "line"),
    [
        (None, "val_bpb", "No such file"),
        (b"", "val_bpb", "is empty"),
        (b"\xff\xfe", "val_bpb", "byte 1 is not UTF-8"),
        (HEADER.encode(), "val_bpb", "has no rows"),
        (HEADER.encode() + b"a\t1\t1\tkeep\tx", "loss", "no column 'loss'; its first line names: commit, val_bpb"),
        (b'{"type":"config","metricName":"ms"}\n{"run":1,"metric":3,"status":"keep"}', "s", "no run of the log has"),
        (b'{"type":"config"}\n[]', "s", "the log has no runs"),
    ],
)
def test_a_file_that_is_no_record_gets_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, metric: str, line: str
) -> None:
    file = tmp_path / "results.tsv"
    if content is not None:
        file.write_bytes(content)
    assert main(["replay", str(file), "--metric", metric, "--direction", "min"]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert line in told and str(file) in told


def test_a_log_is_read_by_segment_and_what_is_no_run_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log.jsonl"
    runs = [
        {"type": "config", "metricName": "ms", "bestDirection": "lower"},
        {"run": 1, "metric": 10, "status": "keep", "metrics": {"kb": 3}},
        {"run": 2, "metric": 0, "status": "crash"},
        {"run": 3, "metric": None, "status": "keep"},
        {"type": "config", "metricName": "ms", "bestDirection": "higher"},
        {"run": 4, "metric": 50, "status": "keep"},
        {"run": 5, "metric": 40, "status": "hm"},
    ]
    file.write_text("\n".join([*map(json.dumps, runs), "{broken", '"a word"']))
    found = said(capsys, str(file), "--metric", "ms", "--direction", "min", "--sd", "1")
    assert [(keep["row"], keep["value"], keep["stands"]) for keep in found["keeps"]] == [
        (1, 10, None), (3, None, None), (4, 50, None),
    ]  # fmt: skip
    assert len(found["complaints"]) == 5


@pytest.mark.parametrize("sd", ["0", "-1", "nan", "x"])
def test_a_noise_that_is_none_is_refused(sd: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["replay", "f", "--metric", "m", "--direction", "min", "--sd", sd])
    assert "is no standard deviation" in capsys.readouterr().err


def test_our_own_record_says_its_noise_and_a_person_may_say_otherwise() -> None:
    header = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\texperiment\tsd\n"
    rows = "a\t1.0\t1\tkeep\tbaseline\t0\t0.01\nb\t0.9\t1\tkeep\tlr\t1\t0.02\nc\t0.8\t1\tcrash\tlr\t2\t"
    history = read_table(header + rows, "val_bpb", False)
    ours, told = judge(history).noise, judge(history, 0.5).noise
    assert ours and told and (ours.sd, told.sd) == (0.02, 0.5)


def test_a_category_that_the_record_says_is_taken_before_the_words() -> None:
    header = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\texperiment\tcategory\n"
    rows = "a\t1.0\t1\tkeep\tas is\t0\tbaseline\nb\t0.9\t1\tkeep\twider\t1\tdata\nc\t0.8\t1\tdiscard\tlora\t2\t"
    judged = judge(read_table(header + rows, "val_bpb", False))
    assert dict(judged.tried) == {"data": 1, "adapter": 1}
    assert judged.unnamed == 0 and "capacity" in judged.never and "data" not in judged.never
