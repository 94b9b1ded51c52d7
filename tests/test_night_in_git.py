"""A kept change is a commit on the run's own branch, whatever dies in between; nothing of the person's is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from repositories import Killed, die_at, git, repository_with
from runs import Story

from checkpoints.records import State
from checkpoints.store import Store
from runner.git import Commits

SEVEN = 7
"""Of the story's first seven experiments #0, #1 and #5 are kept."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository_with(tmp_path / "project", {"program.md": "# demo\n", ".gitignore": "/run/\n"})


def tell(store: Store, *numbers: int, story: Story | None = None) -> Story:
    told = story or Story(steps=3)
    if story is None:
        store.submit(told.begin, 20).result()
    for number in numbers:
        store.submit(told.finished, number).result()
    return told


def subjects(project: Path) -> list[str]:
    """Of the commits that were made, the oldest first, without what they altered."""
    lines = git(project, "log", "--reverse", "--format=%s", "main..autoresearch/demo").splitlines()
    return [line.split(":")[0].split()[0] + (" back" if "taken back" in line else "") for line in lines]


def on_branch(project: Path, path: str) -> str:
    return git(project, "show", f"autoresearch/demo:autoresearch/{path}")


async def test_each_keep_is_one_commit_with_its_recipe_and_its_evidence(project: Path) -> None:
    with Store(project / "run") as store:
        tell(store, *range(SEVEN))
        commits = Commits(store, project)
        await commits.catch_up()
        await commits.catch_up()
        kept = store.read.experiments(State.KEPT)
        said = [event.text for event in store.read.events() if event.kind == "git"]
        assert subjects(project) == [one.model for one in kept]
        assert len(said) == len(kept)
        assert yaml.safe_load(on_branch(project, "recipe.yaml")) == kept[-1].recipe
        evidence = json.loads(on_branch(project, f"{kept[-1].model}/evidence.json"))
        verdict = store.read.verdict(kept[-1].number)
        assert verdict is not None
        assert (evidence["wins"], evidence["reason"]) == (verdict.wins, verdict.reason)
        assert verdict.reason in on_branch(project, f"{kept[-1].model}/evidence.md")


async def test_neither_the_checkout_nor_the_index_of_the_person_changes(project: Path) -> None:
    (project / "program.md").write_text("# half an edit\n")
    (project / "staged.txt").write_text("not committed yet\n")
    git(project, "add", "staged.txt")
    index, before = (project / ".git/index").read_bytes(), git(project, "status", "--porcelain")
    with Store(project / "run") as store:
        tell(store, *range(SEVEN))
        await Commits(store, project).catch_up()
    assert len(subjects(project)) == 3
    assert (project / ".git/index").read_bytes() == index
    assert git(project, "status", "--porcelain") == before
    assert git(project, "branch", "--show-current") == "main"


async def test_a_veto_is_one_more_commit_and_rewrites_none(project: Path) -> None:
    with Store(project / "run") as store:
        story = tell(store, *range(SEVEN))
        commits = Commits(store, project)
        await commits.catch_up()
        before = git(project, "rev-parse", "autoresearch/demo")
        store.submit(story.veto_the_last_keep_but_one).result()
        await commits.catch_up()
        vetoed = store.read.experiments(State.VETOED)[0].model
        assert subjects(project)[-1] == f"{vetoed} back"
        assert git(project, "rev-parse", "autoresearch/demo~1") == before
        assert vetoed not in git(project, "ls-tree", "-r", "--name-only", "autoresearch/demo")


@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
@pytest.mark.slow
async def test_killed_at_any_call_of_git_nothing_is_lost_or_done_twice(
    project: Path, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(project / "run") as store:
        tell(store, *range(SEVEN))
        wanted = [one.model for one in store.read.experiments(State.KEPT)]
        deaths = 0
        for call in range(1, 100):
            with monkeypatch.context() as patch:
                die_at(patch, call, after)
                try:
                    await Commits(store, project).catch_up()
                    break
                except Killed:
                    deaths += 1
        assert deaths >= 20
        assert subjects(project) == wanted


async def test_without_a_repository_there_are_no_commits_and_no_words(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        tell(store, 0)
        await Commits(store, tmp_path).run()
        assert not [event for event in store.read.events() if event.kind == "git"]


async def test_a_branch_that_the_person_has_checked_out_waits_and_says_so_once(project: Path) -> None:
    with Store(project / "run") as store:
        story = tell(store, 0)
        commits = Commits(store, project)
        await commits.catch_up()
        git(project, "checkout", "--quiet", "autoresearch/demo")
        tell(store, 1, story=story)
        await commits.catch_up()
        await commits.catch_up()
        warnings = [event.text for event in store.read.events() if event.kind == "git" and "checked out" in event.text]
        assert len(warnings) == 1
        assert len(subjects(project)) == 1
        git(project, "checkout", "--quiet", "main")
        await commits.catch_up()
        assert len(subjects(project)) == 2


async def test_a_name_that_is_taken_is_left_to_whoever_has_it(project: Path) -> None:
    git(project, "branch", "autoresearch/demo")
    with Store(project / "run") as store:
        tell(store, 0)
        await Commits(store, project).catch_up()
    assert git(project, "rev-parse", "autoresearch/demo") == git(project, "rev-parse", "main")
    assert git(project, "rev-parse", "autoresearch/demo-2~1") == git(project, "rev-parse", "main")


async def test_programs_of_the_repository_are_not_run(project: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    for name in ("post-commit", "reference-transaction", "pre-commit"):
        hook = project / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
        hook.chmod(0o755)
    git(project, "config", "commit.gpgSign", "true")
    git(project, "config", "gpg.program", str(project / ".git/hooks/post-commit"))
    with Store(project / "run") as store:
        tell(store, 0)
        await Commits(store, project).catch_up()
    assert len(subjects(project)) == 1
    assert not trap.exists()
