"""A run's files: a worktree and a branch of its own, whatever a script leaves there and whenever the process dies."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from repositories import Killed, die_at, git, repository_with

from lanes.script.git import GitError
from lanes.script.protected import altered, snapshot
from lanes.script.repository import repository
from lanes.script.worktree import Worktree

FILES = {"train.py": "RATE = 1\n", "prepare.py": "fixed\n", "sub/data.txt": "1 2 3\n", ".gitignore": "*.pt\n"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository_with(tmp_path / "project", FILES)


async def opened(project: Path, tag: str = "nov22") -> Worktree:
    return await Worktree.open(project, project / "run", tag)


async def test_a_run_has_files_and_a_branch_of_its_own_and_the_checkout_stays_as_it_is(project: Path) -> None:
    (project / "train.py").write_text("half an edit\n")
    tree = await opened(project)
    assert tree.branch.name == "autoresearch/nov22"
    assert (tree.place / "train.py").read_text() == FILES["train.py"]
    assert git(project, "status", "--porcelain") == "M train.py"
    assert git(project, "branch", "--show-current") == "main"
    assert await tree.repository.unsaved() == ("train.py",)


async def test_a_tag_that_is_taken_gets_a_number_and_the_same_run_its_own_branch_again(project: Path) -> None:
    git(project, "branch", "autoresearch/nov22")
    first = await opened(project)
    assert first.branch.name == "autoresearch/nov22-2"
    assert await opened(project) == first


async def test_what_is_tried_is_a_commit_beside_the_branch_and_what_is_kept_is_one_on_it(project: Path) -> None:
    tree = await opened(project)
    began = await tree.head()
    tried = await tree.commit(began, {"train.py": "RATE = 2\n"}, "exp-0001: faster", "exp-0001")
    await tree.reset(tried)
    assert (tree.place / "train.py").read_text() == "RATE = 2\n"
    assert await tree.head() == began
    kept = await tree.keep(tried, "exp-0001 val_bpb 0.98: faster", "keep exp-0001")
    assert await tree.keep(tried, "exp-0001 val_bpb 0.98: faster", "keep exp-0001") == kept == await tree.head()
    assert git(project, "log", "-1", "--format=%s|%an", "autoresearch/nov22") == (
        "exp-0001 val_bpb 0.98: faster|autoresearch-tui"
    )
    assert await tree.blob(kept, "train.py") == b"RATE = 2\n"
    assert await tree.tried("exp-0001") == tried
    back = await tree.keep(began, "exp-0001 is taken back", "veto exp-0001")
    assert git(project, "rev-list", "--count", "main..autoresearch/nov22") == "2"
    assert git(project, "diff", began, back) == ""


async def test_reset_leaves_nothing_of_what_a_script_did(project: Path) -> None:
    tree = await opened(project)
    (tree.place / "prepare.py").write_text("other\n")
    (tree.place / "sub/data.txt").unlink()
    (tree.place / "weights.pt").write_text("hidden from git by .gitignore")
    (tree.place / "numpy.py").write_text("in the place of the real one")
    closed = tree.place / "closed"
    closed.mkdir()
    (closed / "file").write_text("x")
    closed.chmod(0o000)
    (tree.top / ".git").unlink()
    (tree.top / ".git").mkdir()
    await tree.reset(await tree.head())
    assert sorted(path.name for path in tree.top.iterdir()) == [".git", ".gitignore", "prepare.py", "sub", "train.py"]
    assert (tree.place / "prepare.py").read_text() == "fixed\n"
    assert (tree.place / "sub/data.txt").read_text() == FILES["sub/data.txt"]
    assert git(tree.top, "rev-parse", "--abbrev-ref", "HEAD") == "autoresearch/nov22"


async def test_a_file_that_a_script_altered_and_dated_back_is_put_right_whatever_the_settings_of_git_say(
    project: Path,
) -> None:
    for name, value in {"core.checkStat": "minimal", "core.trustctime": "false", "core.ignoreStat": "true"}.items():
        git(project, "config", name, value)
    tree = await opened(project)
    altered = tree.place / "prepare.py"
    before = altered.stat()
    await asyncio.sleep(1.1)  # git looks at whole seconds
    await tree.reset(await tree.head())
    altered.write_text("FIXED\n")
    os.utime(altered, ns=(before.st_atime_ns, before.st_mtime_ns))
    await tree.reset(await tree.head())
    assert altered.read_text() == FILES["prepare.py"]


async def test_a_script_that_forges_its_repository_has_no_program_run_by_git(project: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    spring = tmp_path / "spring"
    spring.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    spring.chmod(0o755)
    git(project, "config", "filter.evil.smudge", str(spring))
    git(project, "config", "filter.evil.clean", str(spring))
    git(project, "config", "core.fsmonitor", str(spring))
    (project / ".gitattributes").write_text("* filter=evil\n")
    (project / ".git/info/attributes").write_text("* filter=evil\n")
    hook = project / ".git/hooks/post-checkout"
    shutil.copy(spring, hook)
    tree = await opened(project)
    (tree.place / "train.py").write_text("other\n")
    (tree.top / ".git").write_text(f"gitdir: {tmp_path / 'forged'}\n")
    tried = await tree.commit(await tree.head(), {"train.py": "RATE = 3\n"}, "x", "exp-0001")
    await tree.reset(tried)
    await tree.repository.unsaved()
    assert not trap.exists()
    assert (tree.place / "train.py").read_text() == "RATE = 3\n"


@pytest.mark.parametrize("path", ["../outside.py", "/etc/x", ".git/config", "link", "sub", "train.py/x", "link/x"])
async def test_a_path_that_leads_out_or_through_a_link_is_refused(project: Path, path: str) -> None:
    (project / "link").symlink_to("/etc")
    git(project, "add", "link")
    git(project, "commit", "--quiet", "-m", "link")
    tree = await opened(project)
    with pytest.raises(GitError):
        await tree.commit(await tree.head(), {path: "x"}, "x", "exp-0001")


@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
@pytest.mark.slow
async def test_killed_at_any_call_of_git_the_run_goes_on_with_the_same_branch(
    project: Path, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def night() -> str:
        tree = await opened(project)
        tried = await tree.commit(tree.branch.base, {"train.py": "RATE = 2\n"}, "exp-0001", "exp-0001")
        await tree.reset(tried)
        kept = await tree.keep(tried, "exp-0001 kept", "keep exp-0001")
        await tree.reset(kept)
        return (tree.place / "train.py").read_text()

    deaths = 0
    for call in range(1, 60):
        with monkeypatch.context() as patch:
            die_at(patch, call, after)
            try:
                assert await night() == "RATE = 2\n"
                break
            except Killed:
                deaths += 1
    assert deaths >= 15
    assert git(project, "branch", "--list", "autoresearch/*", "--format=%(refname:short)") == "autoresearch/nov22"
    assert git(project, "log", "--format=%s", "main..autoresearch/nov22") == "exp-0001 kept"


async def test_a_project_that_was_moved_goes_on_where_it_is_now(project: Path) -> None:
    tree = await opened(project)
    tried = await tree.commit(await tree.head(), {"train.py": "RATE = 2\n"}, "x", "exp-0001")
    await tree.keep(tried, "kept", "keep exp-0001")
    moved = project.rename(project.with_name("moved"))
    tree = await opened(moved)
    await tree.reset(await tree.head())
    assert tree.top == moved / "run/worktree"
    assert (tree.place / "train.py").read_text() == "RATE = 2\n"
    assert git(tree.top, "status", "--porcelain") == ""


async def test_a_program_in_a_folder_of_a_repository_has_its_place_there(project: Path) -> None:
    tree = await Worktree.open(project / "sub", project / "sub/run", "nov22")
    assert (tree.place / "data.txt").read_text() == FILES["sub/data.txt"]
    tried = await tree.commit(await tree.head(), {"data.txt": "4\n"}, "x", "exp-0001")
    assert await tree.files(tried) == (".gitignore", "prepare.py", "sub/data.txt", "train.py")
    assert git(project, "diff", "--name-only", "main", tried) == "sub/data.txt"


async def test_data_that_git_does_not_know_is_linked_to(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data/rows.txt").write_text("many\n")
    tree = await Worktree.open(project, project / "run", "nov22", links=("data",))
    await tree.reset(await tree.head())
    assert (tree.place / "data/rows.txt").read_text() == "many\n"
    await tree.reset(await tree.head())
    assert (project / "data/rows.txt").exists()


async def test_where_no_branch_can_be_one_line_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, unborn, bare = tmp_path / "plain", tmp_path / "unborn", tmp_path / "bare.git"
    plain.mkdir()
    unborn.mkdir()
    git(unborn, "init", "--quiet")
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    for folder, reason in ((plain, "no git repository"), (unborn, "without a commit"), (bare, "bare repository")):
        with pytest.raises(GitError, match=reason) as caught:
            await repository(folder)
        assert "\n" not in str(caught.value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="install git"):
        await repository(plain)


async def test_a_checkout_without_a_branch_is_a_beginning_like_any_other(project: Path) -> None:
    git(project, "checkout", "--quiet", "--detach")
    tree = await opened(project)
    assert await tree.head() == git(project, "rev-parse", "main")


async def test_a_hook_that_a_script_puts_into_the_repository_is_seen(project: Path) -> None:
    tree = await opened(project)
    before = snapshot(tree.guarded)
    (project / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    assert altered(before, tree.guarded) == (project / ".git/hooks/pre-commit",)
