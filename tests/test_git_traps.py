"""What a repository can have git run is run by nobody: conditions, other repositories within, and drivers included."""

from __future__ import annotations

from pathlib import Path

import pytest
from repositories import git, repository_with

from lanes.script.worktree import Worktree

FILES = {"train.py": "RATE = 1\n", "prepare.py": "fixed\n", ".gitattributes": "* filter=evil diff=evil merge=evil\n"}

CONDITIONS = ("gitdir:**", "gitdir:**/worktrees/**", "onbranch:autoresearch/**", "hasconfig:remote.*.url:**")


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A program, and the file that it makes."""
    sprung, spring = tmp_path / "sprung", tmp_path / "spring"
    spring.write_text(f'#!/bin/sh\necho "$0 $*" >> {sprung}\ncat\n')
    spring.chmod(0o755)
    return spring, sprung


async def worked_on(project: Path) -> Worktree:
    """A run's files after all that is done with them in a run."""
    tree = await Worktree.open(project, project / "run", "traps")
    (tree.place / "train.py").write_text("other\n")
    tried = await tree.commit(await tree.head(), {"train.py": "RATE = 3\n"}, "x", "exp-0001")
    await tree.reset(tried)
    await tree.repository.unsaved()
    await tree.keep(tried, "x", "keep exp-0001")
    assert (tree.place / "train.py").read_text() == "RATE = 3\n"
    return tree


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS)
async def test_settings_that_hold_under_a_condition_have_no_program_run(
    tmp_path: Path, trap: tuple[Path, Path], condition: str
) -> None:
    spring, sprung = trap
    project, more = repository_with(tmp_path / "project", FILES), tmp_path / "more"
    for name in ("smudge", "clean", "process"):
        git(project, "config", "--file", str(more), f"filter.evil.{name}", str(spring))
    for name in ("core.fsmonitor", "core.pager", "core.editor", "diff.external", "diff.evil.textconv", "gpg.program",
                 "merge.evil.driver", "core.sshCommand", "credential.helper", "core.askPass"):  # fmt: skip
        git(project, "config", "--file", str(more), name, str(spring))
    git(project, "config", "remote.origin.url", "https://example.org/x")
    git(project, "config", f"includeIf.{condition}.path", str(more))
    sprung.unlink(missing_ok=True)
    await worked_on(project)
    assert not sprung.exists(), sprung.read_text()


@pytest.mark.slow
async def test_a_repository_within_is_neither_entered_nor_filled_nor_asked_for_hooks(
    tmp_path: Path, trap: tuple[Path, Path]
) -> None:
    spring, sprung = trap
    inner = repository_with(tmp_path / "inner", {"file": "inner\n"})
    project = repository_with(tmp_path / "project", FILES)
    git(project, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "within")
    git(project, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "with another within")
    git(project, "config", "submodule.within.update", f"!{spring}")
    git(project, "config", "submodule.recurse", "true")
    for name in ("post-checkout", "post-merge", "pre-commit", "reference-transaction"):
        hook = project / ".git/modules/within/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.symlink_to(spring)
        (project / ".git/hooks").mkdir(exist_ok=True)
        (project / ".git/hooks" / name).symlink_to(spring)
    tree = await worked_on(project)
    assert not sprung.exists(), sprung.read_text()
    assert list((tree.place / "within").iterdir()) == []
