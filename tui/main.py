"""The command line: what can be asked for, and how it ends. Imports late, so that a screen paints early."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from checkpoints.collection import no_collection
from tui import arena_grammar, replay_commands, vote_commands
from tui.printed import harmless

FINISHED, WRONG, USAGE, HELD, STUCK = 0, 1, 2, 3, 4

EXAMPLES = """\
examples:
  autoresearch-tui demo                  try it: a small model, its data and its program in a new folder
  autoresearch-tui init study my-study   write a program.md to start from (demo, study or online)
  autoresearch-tui init script           make the program.md of a clone one whose script is edited
  autoresearch-tui my-study              start or resume the run there, with the dashboard; where it
                                         runs already, show it: from any terminal, several at once
  autoresearch-tui run --headless .      the same without a screen, one line an event
  autoresearch-tui attach .              look at a run that another process drives
  autoresearch-tui status --json .       what it is doing, for a script
  autoresearch-tui results . > r.tsv     all experiments as a table
  autoresearch-tui report . | less       the night on one page; --html -o report.html for a browser
  autoresearch-tui doctor .              what is there, what is missing, what to do
  autoresearch-tui votes analyze f.csv   who wins, how sure that is, whether voters agree
  autoresearch-tui replay results.tsv --metric val_bpb --direction min
                                         which keeps of a record stand out of the noise
  autoresearch-tui arena invite 20 .     links for people to vote by; arena . serves without the loop
  autoresearch-tui promote .             serve the champion for good, or hear what that lacks
  autoresearch-tui screenshot . --screen detail:12 -o detail.svg
                                         a picture of any screen, without a terminal

exit statuses:
  0  finished, or left as asked          3  another process holds the run
  1  something is wrong; one line says   4  the run is paused: its baseline failed,
     what and what to do                    and the line says why
  2  the command line is wrong
"""

COMMANDS = (
    "dashboard",
    "run",
    "attach",
    "status",
    "results",
    "init",
    "report",
    "doctor",
    "demo",
    "screenshot",
    "judge",
    "arena",
    "votes",
    "replay",
    "promote",
    "demote",
)


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode gets a question mark, not a trace
    with harmless():
        return _done(arguments)


def _done(arguments: list[str]) -> int:
    if not arguments or (arguments[0] not in COMMANDS and arguments[0] not in ("-h", "--help", "--version")):
        arguments = ["dashboard", *arguments]
    if arguments[0] == "arena":
        arguments = ["arena", *arena_grammar.with_step(arguments[1:])]
    asked = parser().parse_args(arguments)
    with no_collection():
        from tui import commands

    try:
        return getattr(commands, asked.command)(asked)
    except commands.EXPECTED as error:
        print(f"autoresearch-tui: {error}", file=sys.stderr)
        return HELD if isinstance(error, commands.Held) else WRONG
    except PermissionError as error:
        from checkpoints.trouble import whose

        place = Path(error.filename or asked.folder)
        print(f"autoresearch-tui: {place}: {error.strerror}; it belongs to {whose(place)}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone, as with `| head`; there is nobody to tell
        return FINISHED


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    whole = argparse.ArgumentParser(
        prog="autoresearch-tui",
        usage="autoresearch-tui [COMMAND] [FOLDER]",
        description="A dashboard with the research loop inside it. Without a command it starts or resumes a run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action=Version, nargs=0, help="show the version and end")
    add = whole.add_subparsers(dest="command", metavar="COMMAND", required=True).add_parser
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("folder", nargs="?", type=Path, default=Path(), help="folder of program.md (default: this one)")

    unsafe = argparse.ArgumentParser(add_help=False)
    unsafe.add_argument(
        "--unsafe", action="store_true", help="run a script even where it cannot be kept from network and files"
    )

    screen = "start, resume or attach, with the dashboard (headless without a terminal)"
    add("dashboard", parents=[folder, unsafe], help=screen)
    run = add("run", parents=[folder, unsafe], help="start or resume")
    run.add_argument("--headless", action="store_true", help="without a screen: one line an event")
    add("attach", parents=[folder], help="look at, and steer, a run that another process drives")
    status = add("status", parents=[folder], help="what the run is doing")
    status.add_argument("--json", action="store_true", help="for a script")
    table = add("results", parents=[folder], help="all experiments as TSV")
    table.add_argument("--json", action="store_true", help="with beliefs, notes and zoom-outs, for a script")
    report = add("report", parents=[folder], help="the night on one page: what was kept, what is noise, what is next")
    form = report.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="as Markdown (the default)")
    form.add_argument("--html", action="store_true", help="as a web page that stands by itself, with the plot")
    report.add_argument("-o", "--output", type=Path, help="where to (default: to the terminal)")
    init = add("init", help="write a program.md to start from")
    init.add_argument("template", nargs="?", help="demo, study, online or script (default: a few questions choose)")
    init.add_argument("folder", nargs="?", type=Path, help="where to (default: this folder)")
    init.add_argument("--model", help="base model: a local folder or a hub id")
    init.add_argument("--pairs", help="preference pairs to train on (study)")
    init.add_argument("--chats", help="chat rows to train on (online)")
    init.add_argument("--heldout", help="held-out pairs (study)")
    init.add_argument("--prompts", help="held-out prompts (online)")
    doctor = add("doctor", parents=[folder], help="check the machine, the program, its data, and its run")
    doctor.add_argument("--repair", action="store_true", help="first repair what can be without loss, after a copy")
    demo = add("demo", help="try it in a new folder")
    demo.add_argument("folder", nargs="?", type=Path, default=Path("autoresearch-demo"))
    judge = add(
        "judge", help="the language model that judges: calibrate it on people's labels, see whether it may vote"
    )
    step = judge.add_subparsers(dest="step", metavar="STEP", required=True)
    calibrate = step.add_parser("calibrate", parents=[folder], help="hold it against at least 20 labels of people")
    calibrate.add_argument(
        "--labels", type=Path, help="JSONL or CSV with prompt, answer_a, answer_b, choice (a, tie, b)"
    )
    step.add_parser("status", parents=[folder], help="whether it may vote, and how it fared on fresh labels")
    promote = add("promote", parents=[folder], help="serve the champion for good, or say what that lacks")
    promote.add_argument("--check", action="store_true", help="only say what is there and what lacks")
    demote = add("demote", parents=[folder], help="take the promotion back: the model before it is promoted again")
    for command in (promote, demote):
        command.add_argument("--reason", default="", help="for the record")
    arena_grammar.grammar(add("arena", help="people and products vote here: serve it alone, invite, list, exclude"))
    vote_commands.grammar(add("votes", help="a file of votes: analyze it, or write one of simulated votes"))
    replay_commands.grammar(add("replay", help="the history of any loop: which of its keeps stand out of the noise"))
    picture = add("screenshot", parents=[folder], help="a picture of any screen, as SVG or text, without a terminal")
    picture.add_argument("--size", type=_size, default=(120, 40), metavar="120x40", help="columns and rows")
    picture.add_argument("--screen", default="main", help="main, panel:2, detail:12, …; any other word lists all")
    picture.add_argument("--theme", default="", help="colours; any word that is no theme lists all")
    picture.add_argument("-o", "--output", type=_drawn, required=True, help="where to: a name in .svg or .txt")
    return whole


def _size(text: str) -> tuple[int, int]:
    columns, _, rows = text.partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) <= 500 and 1 <= int(rows) <= 500):
        raise argparse.ArgumentTypeError(f"{text} is no size; one is 120x40, columns and rows up to 500")
    return int(columns), int(rows)


def _drawn(text: str) -> Path:
    if not text.endswith((".svg", ".txt")):
        raise argparse.ArgumentTypeError(f"{text} is neither .svg nor .txt")
    return Path(text)


class Version(argparse.Action):
    """Looks the version up only when it is asked for: that takes as long as a tenth of the first paint."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Say it, and end."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            said = f"autoresearch-tui {version('autoresearch-tui')}"
        except PackageNotFoundError:
            said = "autoresearch-tui, not installed"
        parser.exit(message=f"{said}\n")


if __name__ == "__main__":
    sys.exit(main())
