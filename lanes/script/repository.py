"""What git says of a person's folder: whether it is a repository in which a run can have a branch of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lanes.script.git import Git, GitError, run_git


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository that a folder is in."""

    top: Path
    """Where its checkout begins."""

    inside: str
    """The folder, seen from there, with a slash at its end; empty where it is the same."""

    common: Path
    """Its ``.git``, which all of its worktrees share."""

    own: Path
    """What of it belongs to this checkout alone; the same where there is only one."""

    head: str
    """The commit that is checked out."""

    git: Git
    """Touches no files and no index."""

    async def unsaved(self) -> tuple[str, ...]:
        """Files that git knows and that differ from the commit: a run does not see what is not committed."""
        own = await Git.of(self.own, self.top)  # settings under a condition may hold here and nowhere else
        said = await own.ask(
            "status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=all"
        )
        return tuple(line[3:] for line in said.split("\0") if line)

    async def checked_out(self, branch: str) -> Path | None:
        """Where a branch is checked out; None where it is nowhere."""
        place: Path | None = None
        for line in (await self.git.ask("worktree", "list", "--porcelain")).splitlines():
            if line.startswith("worktree "):
                place = Path(line.removeprefix("worktree "))
            if line == f"branch refs/heads/{branch}":
                return place
        return None


async def repository(folder: Path) -> Repository:
    """The repository that a folder is in.

    Raises:
        GitError: It is in none, or in one in which no run can have a branch.
    """
    found = await _ask(folder, "rev-parse", "--is-bare-repository", "--is-inside-git-dir")
    if found is None:
        raise GitError(f"{folder} is no git repository: run git init there and commit the script")
    if "true" in found.split():
        raise GitError(f"{folder} is in a bare repository, without files: clone it and start in the clone")
    top, inside, common, own = ((await _ask(folder, "rev-parse", *_WHERE)) or "").split("\n")[:4]
    head = await _ask(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not head:
        raise GitError(f"{folder} is in a repository without a commit: commit the script first")
    return Repository(Path(top), inside, Path(common), Path(own), head, await Git.of(Path(common)))


_WHERE = ("--path-format=absolute", "--show-toplevel", "--show-prefix", "--git-common-dir", "--git-dir")


async def _ask(folder: Path, *arguments: str) -> str | None:
    """What git says in a folder that is the person's own; None where it fails."""
    status, said, complaint = await run_git(arguments, {}, folder=folder)
    if status and b"not a git repository" not in complaint and complaint.strip():
        raise GitError(f"{folder}: git cannot read its repository: {complaint.decode(errors='replace').strip()[:200]}")
    return None if status else said.decode(errors="replace").removesuffix("\n")
