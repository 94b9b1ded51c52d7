"""The page: the night in three lines, then section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from checkpoints.records import BASELINE, Outcome, Row, RunState, State, Step
from runner.report import believed
from runner.report.beliefs import beliefs, next_steps
from runner.report.blocks import Block, Picture, Report, Section
from runner.report.costs import costs, spent
from runner.report.facts import Facts, reference
from runner.report.kept import by_luck, doubted, kept, noise, whole_gain
from runner.report.measured import bars, value
from runner.report.measured import noise as noise_of_one_run
from runner.report.people import steps, stock
from runner.report.tried import crashes, tried
from runner.report.wording import changed, count, day_and_time, listed, long, per_cent, points, shortened, with_interval
from runner.trails import less_is_better, progress

_LEVELS = "▁▂▃▄▅▆▇█"
_COLUMNS = 40
"""Keeps in a line of bars."""


def report(facts: Facts) -> Report:
    """The page of a run."""
    sections = (
        Section("Progress", tuple(_progress(facts))),
        Section("What was kept, and on what evidence", tuple(kept(facts))),
        Section("What looks like noise", tuple(noise(facts))),
        *_votes(facts),
        Section("What was tried", tuple(tried(facts))),
        Section("What the agent now believes", tuple(beliefs(facts))),
        Section("What the person's steps did", tuple(steps(facts))),
        Section("Stock taken", tuple(stock(facts))),
        Section("What to try next", tuple(next_steps(facts))),
        Section("Time and cost by lane", tuple(costs(facts))),
        Section("What went wrong", tuple(crashes(facts))),
    )
    title = shortened(facts.run.name or "autoresearch", 80)
    return Report(title, tuple(_summary(facts)), tuple(_alerts(facts)), tuple(_facts(facts)), sections, _notes(facts))


def _votes(facts: Facts) -> Iterator[Section]:
    """What the votes are worth, where there are any."""
    found = facts.believed
    if found.study is None:
        return
    yield Section("Ranking", tuple(believed.ranking(found)))
    yield Section("Voters", tuple(believed.voters(found)))
    yield Section("Metrics against people", tuple(believed.metrics(found)))
    yield Section("Promotion", tuple(believed.promotion(found)))


def _summary(facts: Facts) -> Iterator[str]:
    """How far it is, what is best, and what to make of it."""
    tried, took = facts.tried, long(facts.until - facts.run.created_at)
    state = {
        RunState.RUNNING: "is going on" if facts.driven else "has stopped half way, nobody drives it",
        RunState.PAUSED: "is paused",
        RunState.FINISHED: "is finished",
    }[facts.run.state]
    of = f"{len(tried):,} of {count(facts.run.experiments, 'experiment')}"
    yield f"The run {state}: {of} in {took}, {count(len(facts.kept), 'keep')}{_fates(facts)}."
    yield _best(facts)
    yield _worth(facts)


def _fates(facts: Facts) -> str:
    fates = Counter(row.experiment.state for row in facts.tried)
    words = {State.CRASHED: "crashed", State.VETOED: "taken back by a person", State.INCONCLUSIVE: "without an answer"}
    return "".join(f", {fates[state]:,} {word}" for state, word in words.items() if fates[state])


def _best(facts: Facts) -> str:
    """Who reigns and how it came to: the best by the evidence, or whom a person put or left there."""
    champion, baseline = facts.champion, facts.baseline
    if champion is None:
        return "There is no champion yet: the baseline has not been trained."
    last = reference(champion)
    rate = f": {with_interval(last)} {facts.gauge}{_by(facts)}" if last else ", not judged yet"
    if facts.scalar:
        rate = f": {facts.metric} {value(champion)}"
    held = "".join(f", {how}" for how in _by_a_person(facts, champion))
    since = _kept_since(facts, champion)
    if champion.experiment.number == BASELINE:
        if facts.kept:
            return f"Champion is the baseline{held}{rate}{since}."
        return f"Nothing beats the baseline yet{held}{rate}."
    first = reference(baseline) if baseline else None
    gain = f", {points(last.estimate - first.estimate)} over the baseline" if first and last else ""
    title = "Champion" if held or since else "Best"
    return f"{title} is #{champion.experiment.number}, {changed(champion)}{held}{rate}{gain}{since}."


def _by_a_person(facts: Facts, champion: Row) -> Iterator[str]:
    """What other than evidence made it champion."""
    verdict, number = champion.verdict, champion.experiment.number
    if facts.reigns[-1].pinned:
        yield "held there by a person"
    if verdict and verdict.outcome is not Outcome.KEEP and number != BASELINE:
        yield f"though its verdict was {verdict.outcome}"
    if champion.experiment.state is State.VETOED:
        yield "though its keep was taken back"
    reign = facts.reigns[-1]
    for one in facts.interventions:
        brought = (one.acknowledged_at or 0) >= reign.since and one.done.get("then", [None])[0] == number
        if brought and one.step is Step.VETO:
            yield f"since #{one.experiment} was taken back by a person"


def _kept_since(facts: Facts, champion: Row) -> str:
    """Keeps that came after it and do not reign."""
    began = champion.verdict.decided_at if champion.verdict else facts.reigns[-1].since
    later = [row.experiment.number for row in facts.kept if row.verdict and row.verdict.decided_at > began]
    return f"; kept since: {listed(later, 6)}" if later else ""


def _worth(facts: Facts) -> str:
    keeps, careful = facts.kept, doubted(facts)
    if not keeps:
        return "There is nothing to build on yet." if not facts.tried else "Nothing that was tried has been kept."
    if facts.scalar:
        return noise_of_one_run(facts)
    if facts.metric:
        return f"Each model was trained once: believe a keep when other seeds have shown the same. {by_luck(facts)}"
    gain = whole_gain(facts)
    overlap = " The champion's interval still overlaps the baseline's." if gain and gain[1].low <= gain[0].high else ""
    said = "No keep looks like noise by itself."
    if careful:
        which = listed(careful) if len(careful) <= 6 else f"{len(careful):,} of the {len(keeps):,} keeps"
        said = f"Be careful with {which}: that may be noise or luck (see below)."
    return f"{said} {by_luck(facts)}{overlap}"


def _by(facts: Facts) -> str:
    if facts.simulated:
        return ", by simulated voters" + (" and people" if facts.voted else "")
    return ""


def _alerts(facts: Facts) -> Iterator[str]:
    run = facts.run
    if run.state is RunState.PAUSED:
        yield f"It is paused{f': {shortened(run.reason, 300)}' if run.reason else ''}."
    if not facts.driven and run.state is not RunState.FINISHED:
        yield "No process drives it: start it again with autoresearch-tui FOLDER."
    if facts.refused:
        yield f"program.md, revision {facts.refused.revision}, was refused: {shortened(facts.refused.error, 300)}"
    fates = Counter(row.experiment.state for row in facts.tried)
    if fates[State.CRASHED] >= 3 and fates[State.CRASHED] * 4 >= len(facts.tried):
        yield f"{fates[State.CRASHED]:,} of {len(facts.tried):,} crashed: see what went wrong."


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    run, champion = facts.run, facts.champion
    yield "goal", shortened(run.goal, 400)
    why = f": {shortened(run.reason, 200)}" if run.reason else ""
    yield "state", f"{run.state}{why}"
    yield (
        "began",
        f"{day_and_time(run.created_at)}, {long(facts.until - run.created_at)} ago"
        if facts.driven and facts.finished_at is None
        else (f"{day_and_time(run.created_at)}, ran {long(facts.until - run.created_at)}"),
    )
    if champion:
        rate = reference(champion)
        worth = f" {value(champion)}" if facts.scalar else f" {with_interval(rate)}" if rate else ""
        pinned = ", pinned by a person" if facts.reigns[-1].pinned else ""
        yield "champion", f"#{champion.experiment.number}{worth}{pinned}"
    yield "kept", f"{len(facts.kept):,} of {len(facts.tried):,} tried, {run.experiments:,} allowed"
    if (dollars := spent(facts)) is not None:
        yield "spent", f"${dollars:.2f} on training"
    if facts.trainings:
        yield "trainings", f"{sum(facts.trainings.values()):,}, as the metric is measured over several of a recipe"
    if facts.spent.exchanges:
        yield "agent", f"{_used(facts)}; {count(facts.refusals, 'proposal')} refused"
    if facts.scalar:
        yield "judge", f"{facts.metric}, {'less' if less_is_better(facts.rows) else 'more'} is better"
    elif facts.metric:
        yield "judge", f"{facts.metric} on held-out pairs"
    else:
        people = count(facts.voted, "vote") + " by people" if facts.voted else ""
        simulated = count(facts.simulated, "vote") + " by simulated voters" if facts.simulated else ""
        yield "judge", " and ".join(filter(None, (people, simulated))) or "votes, none yet"
    if facts.program:
        yield "program", f"revision {facts.program.revision}, read {day_and_time(facts.program.read_at)}"
    if people := sum(one.step is not Step.VOTE for one in facts.interventions):
        yield "a person", count(people, "step")


def _used(facts: Facts) -> str:
    """``15 exchanges, 29,100 tokens, $0.02``."""
    spent = facts.spent
    price = "no known price" if spent.unpriced == spent.exchanges else f"${spent.usd:.4g}"
    some = f" and {spent.unpriced:,} without a known price" if 0 < spent.unpriced < spent.exchanges else ""
    return f"{count(spent.exchanges, 'exchange')}, {count(spent.tokens, 'token')}, {price}{some}"


def _progress(facts: Facts) -> Iterator[Block]:
    figure = progress(
        facts.rows, facts.interventions, facts.zoom_outs, facts.metric, bool(facts.simulated), facts.floor
    )
    yield Picture(replace(figure, title=""), _bars(facts))


def _bars(facts: Facts) -> str:
    """Baseline and keeps as bars between the lowest and the highest, the newest last."""
    if facts.scalar:
        return _bars_of_a_metric(facts)
    shown = [row for row in (facts.baseline, *facts.kept) if row and reference(row)]
    rates = [rate.estimate for row in shown if (rate := reference(row))][-_COLUMNS:]
    if not rates:
        return "no win rate yet"
    low, high = min(rates), max(rates)
    heights = [round((rate - low) / (high - low or 1) * (len(_LEVELS) - 1)) for rate in rates]
    bars = "".join(_LEVELS[height] for height in heights)
    if len(rates) == 1:
        return f"{per_cent(rates[0])} % {facts.gauge}{_by(facts)}, and nothing to compare it with yet"
    begun = "baseline and keeps" if len(shown) <= _COLUMNS else f"the newest {_COLUMNS} keeps"
    return f"{bars}  {begun}: {per_cent(rates[0])} % to {per_cent(rates[-1])} % {facts.gauge}{_by(facts)}"


def _bars_of_a_metric(facts: Facts) -> str:
    shown = [row for row in (facts.baseline, *facts.kept) if row and row.verdict and row.verdict.value][-_COLUMNS:]
    if len(shown) < 2:
        return f"{facts.metric} {value(shown[0])}, and nothing to compare it with yet" if shown else "no number yet"
    heights = bars(shown, less_is_better(facts.rows))
    low, high = min(heights), max(heights)
    drawn = "".join(_LEVELS[round((one - low) / (high - low or 1) * (len(_LEVELS) - 1))] for one in heights)
    return f"{drawn}  baseline and keeps, the better the higher: {facts.metric} {value(shown[0])} to {value(shown[-1])}"


def _notes(facts: Facts) -> tuple[str, ...]:
    if facts.scalar:
        return (
            "A number varies from one training to the next: a keep was measured over fresh seeds, and the run that let"
            " it be looked at is no part of that. Intervals are of 95 %, from the sd of one run over all recipes; the"
            " test that keeps is one-sided, at evaluate.metric.alpha.",
            f"Made {day_and_time(facts.at)}.",
        )
    judged = (
        "The win rate of a metric run counts held-out pairs: one that only one of two models puts in the right order "
        "is a win for it."
        if facts.metric
        else "Win rates leave ties out. The first 95 % interval (Wilson) is right for a count fixed beforehand, the "
        "second however often one looks."
    )
    shrunken = "The shrunken lead adds 100 imaginary even votes: a keep is declared when luck was good."
    simulated = ("Simulated voters know a rule that people may not share: their win rates say how the loop works.",)
    return (judged, shrunken, *(simulated if facts.simulated else ()), f"Made {day_and_time(facts.at)}.")
