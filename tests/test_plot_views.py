"""The views of the plots as a person meets them: what `d` and `l` show, and what they say where they show nothing."""

from pathlib import Path

import pytest
from runs import Story, write_run
from test_dashboard import NARROW, WIDE, Recorded, choose, text_of, until, until_shown

from checkpoints.store import Store
from runner.figures import Figure
from tui import plots
from tui.app import Dashboard
from tui.widgets.curves import Plot
from tui.widgets.progress_plot import ProgressPlot


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views") / "run"
    write_run(folder, 12)
    return folder


async def test_d_shows_elo_the_votes_of_the_chosen_experiment_the_final_loss_and_win_rates_again(run: Path) -> None:
    async with Dashboard(run, Recorded()).run_test(size=WIDE, notifications=True) as pilot:
        shown = await until_shown(pilot, "Win rate % against the reference", "d: Elo", "● kept")
        assert "↗" in shown and "▴" in shown
        await choose(pilot, 5)
        await pilot.press("1", "d")
        await until_shown(pilot, "Elo, the reference has 1000")
        await pilot.press("d")
        votes = await until_shown(pilot, "Votes on #5 over #1", "won 62.", "95 % at any time")
        assert "d: final loss" in votes
        figure = pilot.app.query_one(ProgressPlot).figure()
        assert figure and figure.bands and figure.rules[0].y == 50
        await choose(pilot, 14)
        await until_shown(pilot, "Votes on #13 over #10")
        await pilot.press("1", "d")
        await until_shown(pilot, "Final training loss by experiment")
        await pilot.press("d")
        await until_shown(pilot, "Win rate % against the reference")


async def test_votes_that_come_in_move_the_plot_of_votes(tmp_path: Path) -> None:
    write_run(tmp_path, 2)
    async with Dashboard(tmp_path, Recorded()).run_test(size=NARROW, notifications=True) as pilot:
        await until_shown(pilot, "d: Elo")
        await pilot.press("1", "d", "d")
        await until_shown(pilot, "Votes on #3 over #1", "of 130")
        with Store(tmp_path) as store:
            story = Story(simulated=True)
            story.random.seed(1)
            store.submit(lambda db: _more_votes(db, story)).result()
        await until_shown(pilot, "of 139")


def _more_votes(db: object, story: Story) -> None:
    from checkpoints import writes
    from checkpoints.records import Choice, Lane, Vote, model_name

    own, rival = model_name(3), model_name(1)
    new = [Vote(3, f"new/{n}", f"late-{n}", "prompt-000", rival, own, Choice.B, True, 1.0) for n in range(9)]
    writes.add_votes(db, new)  # type: ignore[arg-type]
    writes.close_sessions(db, 3, 0, 0.0, 1)  # type: ignore[arg-type]
    story.progress(db, Lane.EVALUATE, 3, "votes", 157, 400, "56 %", 300)  # type: ignore[arg-type]


async def test_d_and_l_on_the_curves_show_other_series_and_a_logarithmic_axis(run: Path) -> None:
    async with Dashboard(run, Recorded()).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "Loss #14 over champion #10", "d: reward accuracy", "candidate #14")
        await pilot.press("d")
        await until_shown(pilot, "d changes what a plot shows")
        await pilot.press("l")
        await until_shown(pilot, "l is for the curves of a training")
        await pilot.press("2", "l")
        await until_shown(pilot, "Loss #14 over champion #10 · log axis")
        await pilot.press("d")
        await until_shown(pilot, "Reward accuracy #14 over champion #10 · d: loss")
        figures = [plot.figure() for plot in pilot.app.query(Plot)]
    assert all(isinstance(figure, Figure) and Figure.from_json(figure.to_json()) == figure for figure in figures)


async def test_nothing_is_worked_out_again_while_no_experiment_changes(run: Path) -> None:
    async with Dashboard(run, Recorded()).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "d: Elo")
        await until(pilot, plots.loaded)
        plot = pilot.app.query_one(ProgressPlot)
        before = plot.picture(58)
        plot.update()
        assert plot.picture(58) is before
        assert before is not None and "┈" in text_of(pilot.app)  # type: ignore[arg-type]
