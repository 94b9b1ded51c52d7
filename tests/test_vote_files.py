"""Votes from anywhere: ``votes analyze`` on files as they come, and ``votes simulate`` that writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from published import needs_published_votes, rows

from checkpoints.records import REFERENCE, Choice
from lanes.analyze.ranking import aggregate, fit
from lanes.analyze.running import RunningRanking
from lanes.analyze.simulation import World, simulated
from lanes.analyze.vote_table import of_columns
from tui.main import main

HEADER = "model_a,model_b,winner,voter,prompt\n"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """Runs a command: its exit status, what it printed, and its lines on stderr."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err.splitlines()

    return run


@pytest.fixture
def file(tmp_path: Path):
    """Writes a file of votes."""

    def write(text: str | bytes, name: str = "votes.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def cast(wins: int, ties: int, losses: int, a: str = "good", b: str = "base") -> str:
    """So many rows, each by another voter, alternately shown one way and the other."""
    winners = ["model_a"] * wins + ["tie"] * ties + ["model_b"] * losses
    other = {"model_a": "model_b", "model_b": "model_a", "tie": "tie"}
    return "".join(
        f"{a},{b},{winner},v{at},p{at % 7}\n" if at % 2 else f"{b},{a},{other[winner]},v{at},p{at % 7}\n"
        for at, winner in enumerate(winners, start=1)
    )


def test_a_file_of_votes_gives_win_rates_as_papers_print_them(said, file) -> None:
    """617 wins to 353 losses: 63.6 %, Wilson 95 % from 60.5 to 66.6."""
    status, out, err = said("votes", "analyze", file(HEADER + cast(617, 30, 353)), "--json")
    found = json.loads(out)
    assert (status, err) == (0, [])
    assert found["pairs"] == [
        {"model_a": "good", "model_b": "base", "wins_a": 617, "ties": 30, "wins_b": 353,
         "win_rate_a": 63.6, "wilson95": [60.5, 66.6]}
    ]  # fmt: skip
    strength = found["bradley_terry"]
    assert sum(strength.values()) == pytest.approx(2)
    assert strength["good"] / strength["base"] == pytest.approx(632 / 368)
    assert found["elo"]["good"] - found["elo"]["base"] == pytest.approx(400 * math.log10(632 / 368))
    low, high = found["elo95"]["good"]
    assert low < found["elo"]["good"] < high
    assert (found["voters"], found["prompts"], found["spearman"]) == (1000, 7, None)


def test_rows_that_are_no_votes_get_a_line_each_and_the_others_count(said, file) -> None:
    broken = (
        "good,base,model_a,v1,p1\n"
        "good,base,modle_a,v1,p2\n"
        "good,base\n"
        "\n"
        "good,good,tie,v1,p3\n"
        ",base,tie,v1,p4\n"
        '"good,base,model_a,v1,p5\n'
        "base,good,model_b,v2,p6\n"
        'base,good,tie,v2,"a prompt\nof two lines"\n'
    )
    status, out, err = said("votes", "analyze", file(HEADER + broken), "--json")
    found = json.loads(out)
    assert status == 0
    assert [line.split(":")[0] for line in err] == [f"votes.csv line {number}" for number in (3, 4, 6, 7, 8)]
    assert err[0] == "votes.csv line 3: winner is 'modle_a': model_a, model_b or tie"
    assert "quote" in err[4]
    assert (found["votes"], found["skipped_rows"]) == (3, 5)
    assert (found["pairs"][0]["wins_a"], found["pairs"][0]["ties"]) == (2, 1)


@pytest.mark.parametrize(
    "raw",
    [
        ("\ufeff" + HEADER + cast(2, 1, 1, "größer 模型")).encode(),
        (HEADER + cast(2, 1, 1, "größer 模型")).replace("\n", "\r\n").encode("utf-16"),
        ("winner,MODEL_B,extra, Model_A\nmodel_a,base,1,größer 模型\n" + "tie,base,,größer 模型\n").encode(),
        (HEADER + cast(1, 1, 1, '"größer\x1b[2J  模型\u202e"').replace("\x1b[2J", "\x1b")).encode(),
    ],
    ids=["byte order mark", "UTF-16 with CRLF", "columns in another order", "controls in a name"],
)
def test_files_as_other_programs_write_them_are_read(said, file, raw: bytes) -> None:
    status, out, err = said("votes", "analyze", file(raw), "--json")
    assert (status, err) == (0, [])
    assert set(json.loads(out)["bradley_terry"]) == {"größer 模型", "base"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "its first line has no model_a and no model_b and no winner"),
        ("a;b;c\n", "it should be model_a,model_b,winner[,voter][,prompt]"),
        (HEADER, "there is no vote in it"),
        (HEADER + "good,base,won,v,p\n", "line 2: winner is 'won'"),
        (HEADER + "".join(f"answer {at},base,tie,v,p\n" for at in range(500)), "501 models, at most 500 can be ranked"),
    ],
)
def test_a_file_that_tells_nothing_is_refused_in_one_line(said, file, text: str, says: str) -> None:
    status, out, err = said("votes", "analyze", file(text))
    assert (status, out, len(err)) == (1, "", 1)
    assert says in err[0]


def test_a_file_that_is_not_there_is_refused_in_one_line(said, tmp_path: Path) -> None:
    status, _, err = said("votes", "analyze", tmp_path / "none.csv")
    assert (status, len(err)) == (1, 1)
    assert "No such file" in err[0]


def test_models_that_votes_leave_open_are_null_and_never_equal(said, file) -> None:
    apart = "top,base,model_a,v1,p\ntop,base,model_a,v2,p\nthis,that,tie,v1,p\n" + cast(3, 1, 2)
    _, out, _ = said("votes", "analyze", file(HEADER + apart), "--json")
    found = json.loads(out)
    assert found["unknown"] == ["that", "this"]
    assert found["elo"]["this"] is None
    assert found["elo"]["top"] > found["elo"]["good"]
    assert found["elo95"]["top"][1] is None and found["bradley_terry95"]["top"][1] is None
    _, out, _ = said("votes", "analyze", file(HEADER + apart))
    assert "unknown: no chain of wins" in out and "∞" in out


def test_a_metric_beside_the_votes_is_held_against_them(said, file) -> None:
    votes = file(HEADER + cast(60, 0, 30, "b", "a") + cast(60, 0, 30, "c", "b") + cast(60, 0, 30, "d", "c"))
    metric = file("model,value\na,1\nb,2\nc,4\nd,3\nd,9\ne,high\n", "val_pref_acc.csv")
    status, out, err = said("votes", "analyze", votes, "--metric", metric, "--json")
    found = json.loads(out)
    assert status == 0
    assert [line.split(":")[0] for line in err] == ["val_pref_acc.csv line 6", "val_pref_acc.csv line 7"]
    assert found["spearman"]["rho"] == pytest.approx(0.8)
    assert found["spearman"]["p"] == pytest.approx(1 / 3)
    assert found["spearman"]["exact"] is True
    assert "four models can agree this well by chance (p = 0.33)" in found["trust"]["sentence"]
    _, lower, _ = said("votes", "analyze", votes, "--metric", metric, "--lower-is-better", "--json")
    assert json.loads(lower)["spearman"]["rho"] == pytest.approx(-0.8)


def test_what_a_person_reads_fits_eighty_columns(said, file) -> None:
    long = "a model with quite a long name, larger than any column " * 2
    votes = cast(250, 3, 0, f'"{long}"') + cast(30, 10, 20) + cast(10, 0, 4, "模型" * 20, "good")
    status, out, _ = said("votes", "analyze", file(HEADER + votes))
    from rich.cells import cell_len

    assert status == 0
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "100.0 % [98.5, 100.0]" in out


def test_simulated_votes_come_back_as_they_were_drawn_and_say_that_they_are(said, tmp_path: Path) -> None:
    path = tmp_path / "drawn.csv"
    asked = ("best=2", "base=1", "--votes", 20_000, "--voters", 4000, "--ties", 0.25, "--first", 0.55)
    status, _, err = said("votes", "simulate", *asked, "-o", path)
    assert status == 0 and "simulated voters" in err[0]
    assert path.read_text().splitlines()[1].split(",")[3].startswith("sim-")
    found = json.loads(said("votes", "analyze", path, "--ties", "davidson", "--json")[1])
    assert found["simulated_voters"] == 4000
    assert found["pairs"][0]["ties"] == pytest.approx(5000, rel=0.05)
    assert found["position"]["first_wins"] == pytest.approx(55, abs=1.5)
    again = said("votes", "simulate", *asked)[1]
    other = said("votes", "simulate", *asked, "--seed", 1)[1]
    assert again == path.read_text() != other


@pytest.mark.parametrize(
    "asked", [("one=1",), ("a=1", "b=0"), ("a=1", "b=2", "--correlation", 2), ("a=1", "b=2", "--votes", 0)]
)
def test_votes_that_cannot_be_drawn_are_refused_in_one_line(said, asked: tuple[object, ...]) -> None:
    status, out, err = said("votes", "simulate", *asked)
    assert (status, out, len(err)) == (1, "", 1)
    assert "no votes can be simulated" in err[0]


def test_correlated_voters_repeat_themselves() -> None:
    """A voter's votes on the same two models correlate as asked for: 0.5, from pairs of the first two votes of each."""
    drawn = simulated(World({"a": 1.0, "b": 1.0}, votes=40_000, voters=20_000, prompts=1, correlation=0.5))
    for_a = [(choice == "a") == (model == "a") for model, choice in zip(drawn.model_a, drawn.choice, strict=True)]
    same = sum(one == two for one, two in zip(for_a[:20_000], for_a[20_000:], strict=True)) / 20_000
    assert 2 * same - 1 == pytest.approx(0.5, abs=0.03)


@needs_published_votes
def test_crowd_votes_give_the_published_scores_at_the_command_line(said, file) -> None:
    winners = {"left": "model_a", "right": "model_b", "tie": "tie"}
    crowd = rows("llmfao/crowd-comparisons.csv")
    text = "".join(
        f'"{row["left"]}","{row["right"]}",{winners[row["winner"]]},{row["worker"]},{row["prompt"]}\n' for row in crowd
    )
    status, out, err = said("votes", "analyze", file(HEADER + text), "--json")
    found = json.loads(out)
    golden = {(row["algorithm"], row["item"]): float(row["score"]) for row in rows("llmfao/evalica_llmfao-golden.csv")}
    assert (status, err, found["votes"]) == (0, [], len(crowd))
    assert (found["voters"], found["prompts"], len(found["bradley_terry"])) == (124, 13, 59)
    total = sum(score for (algorithm, _), score in golden.items() if algorithm == "bradley_terry")
    for model, strength in found["bradley_terry"].items():
        assert strength / 59 == pytest.approx(golden["bradley_terry", model] / total, rel=1e-3)
        assert found["elo_online_k4"][model] == pytest.approx(golden["elo", model], abs=1e-6)


def test_a_ranking_kept_vote_by_vote_is_the_ranking_of_all_votes() -> None:
    drawn = simulated(World({REFERENCE: 1.0, "m1": 1.5, "m2": 0.7}, votes=300, voters=300, prompts=1))
    votes = [*zip(drawn.model_a, drawn.model_b, map(Choice, drawn.choice), strict=True), ("m9", "m1", Choice.A)]
    begun = of_columns(drawn.model_a[:100], drawn.model_b[:100], drawn.choice[:100])
    running = RunningRanking({}, so_far=begun)
    for vote in votes[100:]:
        running.add(*vote)
        now = running.ranking()
    whole = fit(aggregate(votes), {})
    assert [one.model for one in now.standings] == [one.model for one in whole.standings]
    for one, other in zip(now.standings, whole.standings, strict=True):
        assert (one.votes, one.elo) == (other.votes, pytest.approx(other.elo, abs=1e-4))
