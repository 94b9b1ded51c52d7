"""What each lane needs to know of the program."""

from __future__ import annotations

from lanes.analyze.metric_rule import MetricRule
from lanes.analyze.verdict import Rule
from lanes.arena.guards import GuardBounds
from lanes.evaluate_settings import ArenaSettings, EvaluateSettings
from lanes.judge.process import Settings as JudgeSettings
from lanes.measure import Metric
from lanes.train import TrainSettings
from runner.program import Program


def train_settings(program: Program) -> TrainSettings:
    """For the train lane."""
    train, data = program.train, program.data
    return TrainSettings(
        model=program.model.name,
        sources=dict(data.sources),
        revision=program.model.revision,
        trust_remote_code=program.model.trust_remote_code,
        heldout=data.heldout,
        drop_heldout=data.drop_heldout,
        max_broken_rows=data.max_broken_rows,
        device=train.device,
        gpus=train.gpus,
        threads=train.threads,
        hang_seconds=train.hang_seconds,
        seconds_per_training=program.budget.seconds_per_training,
        checkpoint_steps=train.checkpoint_steps,
        eval_rows=train.eval_rows,
        standby=train.standby,
        metric=metric(program),
    )


def evaluate_settings(program: Program) -> EvaluateSettings:
    """For the evaluate lane."""
    evaluate = program.evaluate
    return EvaluateSettings(
        model=program.model.name,
        prompts=program.data.heldout.prompts,
        revision=program.model.revision,
        trust_remote_code=program.model.trust_remote_code,
        metric=metric(program),
        voters=evaluate.voters,
        pull=evaluate.pull,
        arena=ArenaSettings(
            host=program.arena.host,
            port=program.arena.port,
            url=program.arena.url,
            traffic_share=evaluate.traffic_share,
            max_exposure=evaluate.max_exposure,
            attention_every=program.arena.attention_every,
            min_seconds=program.arena.min_seconds,
        ),
        guards=GuardBounds(**evaluate.guards.model_dump()),
        rule=rule(program),
        slots=evaluate.slots,
        reference_share=evaluate.reference_share,
        votes_per_prompt=evaluate.votes_per_prompt,
        votes_per_voter=evaluate.votes_per_voter,
        session_seconds=evaluate.session_seconds,
        seconds=evaluate.seconds,
        seed=program.seed,
        max_broken_rows=program.data.max_broken_rows,
        device=program.train.device,
        threads=program.train.threads,
    )


def metric(program: Program) -> Metric | None:
    """The number that judges; None where votes do."""
    evaluate, said, start = program.evaluate, program.evaluate.metric, program.recipe.training
    if evaluate.judge == "votes":
        return None
    name = (said.name or "metric") if evaluate.judge == "command" else evaluate.judge
    return Metric(
        judge=evaluate.judge,
        rule=MetricRule(
            direction=said.direction or ("min" if evaluate.judge == "eval_loss" else "max"),
            rule=said.rule,
            metric=name,
            seeds=said.seeds,
            screen=said.screen,
            confirm=said.confirm,
            alpha=said.alpha,
        ),
        command=said.command,
        pattern=said.pattern,
        seconds=said.seconds,
        guards=said.guards,
        folder=program.path.parent.absolute(),
        locked=program.data.heldout.locked,
        loss_beta=start.beta,
        score_length=start.max_length,
    )


def judge_settings(program: Program) -> JudgeSettings | None:
    """The language model that judges; None where the program names none."""
    evaluate = program.evaluate
    return JudgeSettings(evaluate.llm_judge, evaluate.llm_judge_api_base) if evaluate.llm_judge else None


def rule(program: Program) -> Rule:
    """When the votes are enough."""
    evaluate = program.evaluate
    return Rule(evaluate.alpha, evaluate.beta, evaluate.lift, evaluate.min_votes, evaluate.max_votes)
