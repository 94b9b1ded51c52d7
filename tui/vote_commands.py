"""What ``autoresearch-tui votes`` does: analyse a file of votes, or write one of simulated votes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tui.run_error import RunError


def analyze(asked: argparse.Namespace) -> int:
    """Say all that a file of votes says; rows that are no votes get a line each on the way.

    Raises:
        RunError: There is nothing in it that can be analysed, or in the file of the metric.
    """
    from lanes.analyze.analysis import Scores, analyse
    from lanes.analyze.analysis_json import as_json
    from lanes.analyze.csv_rows import Unreadable
    from lanes.analyze.vote_csv import read_metric, read_votes
    from tui.vote_lines import lines_of

    try:
        votes = read_votes(asked.file)
        metric = read_metric(asked.metric) if asked.metric else None
    except Unreadable as error:
        raise RunError(str(error)) from None
    for line in [*votes.complaints.said(), *(metric.complaints.said() if metric else [])]:
        print(line, file=sys.stderr)
    metrics = [Scores(metric.metric, metric.values, not asked.lower_is_better)] if metric else []
    found = analyse(votes.table, asked.ties, metrics)
    if asked.json:
        print(json.dumps(as_json(found) | {"skipped_rows": votes.complaints.number}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines_of(found)))
    return 0


def simulate(asked: argparse.Namespace) -> int:
    """Write a file of votes by simulated voters.

    Raises:
        RunError: No such votes can be drawn, or the file cannot be written.
    """
    from lanes.analyze.simulation import World, simulated
    from lanes.analyze.vote_csv import write_votes

    try:
        world = World(
            models=dict(asked.models),
            votes=asked.votes,
            voters=asked.voters,
            prompts=asked.prompts,
            correlation=asked.correlation,
            ties=asked.ties,
            first=asked.first,
            seed=asked.seed,
        )
    except ValueError as error:
        raise RunError(f"no votes can be simulated: {error}") from None
    columns = simulated(world)
    if asked.output is None:
        write_votes(columns, sys.stdout)
    else:
        try:
            with asked.output.open("w", encoding="utf-8", newline="") as file:
                write_votes(columns, file)
        except OSError as error:
            raise RunError(f"{asked.output} cannot be written: {error.strerror}") from None
    where = f" in {asked.output}" if asked.output else ""
    people = f"{world.voters:,} simulated voters (sim-…)"
    print(f"{world.votes:,} votes{where} by {people}: drawn from seed {world.seed}, cast by nobody", file=sys.stderr)
    return 0


def grammar(votes: argparse.ArgumentParser) -> None:
    """What can be asked of ``votes``."""
    add = votes.add_subparsers(dest="step", metavar="STEP", required=True).add_parser
    analysed = add("analyze", help="win rates, ranking, agreement and place of a file of votes")
    analysed.add_argument("file", type=Path, metavar="FILE.csv", help="header: model_a,model_b,winner[,voter][,prompt]")
    analysed.add_argument("--metric", type=Path, metavar="METRICS.csv", help="hold a metric against it: model,value")
    analysed.add_argument("--lower-is-better", action="store_true", help="of the metric, as of a loss")
    analysed.add_argument(
        "--ties",
        choices=("half", "davidson"),
        default="half",
        help="a tie is half a win (default), or Davidson's model",
    )
    analysed.add_argument("--json", action="store_true", help="for a script")
    drawn = add("simulate", help="write such a file of simulated votes, of which everything is known")
    drawn.add_argument("models", nargs="+", type=_model, metavar="MODEL=STRENGTH", help="2 beats 1 two times of three")
    drawn.add_argument("--votes", type=int, default=1000)
    drawn.add_argument("--voters", type=int, default=200)
    drawn.add_argument("--prompts", type=int, default=20)
    drawn.add_argument("--correlation", type=float, default=0.0, help="of a voter's votes on the same two models")
    drawn.add_argument("--ties", type=float, default=0.2, help="share of votes that are about equal")
    drawn.add_argument(
        "--first", type=float, default=0.5, help="share of even matches that the answer shown first wins"
    )
    drawn.add_argument("--seed", type=int, default=0)
    drawn.add_argument("-o", "--output", type=Path, metavar="FILE.csv", help="where to (default: to the terminal)")


def _model(text: str) -> tuple[str, float]:
    name, _, strength = text.rpartition("=")
    try:
        return name, float(strength)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no model with its strength; one is better=1.5") from None
