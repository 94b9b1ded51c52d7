"""The files that a run's script works on: a git worktree in the run's folder, on a branch that is the run's own.

The person's checkout and index are never touched. The branch holds what was kept and nothing else, one commit after
the other; what is only tried is a commit that a reference of its own remembers. So a kill at any moment leaves the
branch right, and what was tried can be looked at later.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints import strokes
from checkpoints.artifacts import write_json, write_text
from lanes.script.branch import Branch, commit_of, commit_tree, free_name, tag_of, tree_with
from lanes.script.git import ALL_FILES_SECONDS, Git, GitError
from lanes.script.repository import Repository, repository

FOLDER = "worktree"
"""Name of the worktree in the run's folder."""

NOTE = "worktree.json"
"""Name of the file beside it that says which branch it has; written before anything is made."""

_TRIED = "refs/autoresearch/"
"""How the names of references begin that remember what was only tried."""


@dataclass(frozen=True, slots=True)
class Worktree:
    """A run's files and its branch."""

    top: Path
    """Where the worktree begins."""

    place: Path
    """The folder in it that is the program's: commands are run here, and paths are seen from here."""

    branch: Branch
    repository: Repository
    name: str
    """What the repository calls this worktree."""

    links: tuple[str, ...] = ()
    """Paths that are the person's own, which git does not know: links lead to them."""

    @classmethod
    async def open(cls, project: Path, run: Path, tag: str, links: Sequence[str] = ()) -> Worktree:
        """Make the worktree and its branch, or take up what an earlier process has made.

        What a script that still works has in it is left alone.

        Args:
            project: The folder with the program, somewhere in a repository.
            run: The run's folder.
            tag: What the branch is called after ``autoresearch/``; where that is taken, the next free one.
            links: Paths below the project that git does not know and that the script reads: data.

        Raises:
            GitError: There is no repository, no commit, or git refuses.
        """
        found, run = await repository(project), _made(run)
        note = _read(run / NOTE)
        if not note:
            note = {"branch": await free_name(found.git, tag), "base": found.head}
            write_json(run / NOTE, note)
        branch = Branch(found.git, note["branch"], note["base"])
        await branch.ensure()
        top = run / FOLDER
        known = str(note.get("name", ""))
        if not known or not _is_whole(found.common / "worktrees" / known, top):
            known = await _add(found, branch, top)
            await cls(top, top / found.inside, branch, found, known, tuple(links)).reset(await branch.tip())
            write_json(run / NOTE, note | {"name": known})
        return cls(top, top / found.inside, branch, found, known, tuple(links))

    async def head(self) -> str:
        """The newest commit of the branch: what was kept last, or where the run began."""
        return await self.branch.tip()

    async def commit(self, parent: str, files: Mapping[str, str], message: str, name: str) -> str:
        """Make a commit of what is going to be tried. No file of the worktree changes: ``reset`` puts it there.

        Args:
            parent: The commit that is changed.
            files: New texts by path, seen from ``place``.
            message: A line, perhaps a blank one and more.
            name: Under which it is remembered, for example ``exp-0007``; what had the name before is forgotten.

        Raises:
            GitError: A path leads out or through a link, or git refuses.
        """
        contents = {self.repository.inside + path: text.encode() for path, text in files.items()}
        tree = await tree_with(self._git, parent, contents)
        made = await commit_tree(self._git, tree, (parent,), message)
        await self._git.ask("update-ref", self.reference(name), made)
        return made

    async def tried(self, name: str) -> str:
        """The commit that ``commit`` has made under a name; empty where there is none."""
        return await commit_of(self._git, self.reference(name))

    def reference(self, name: str) -> str:
        """The reference that remembers what was tried under a name."""
        return f"{_TRIED}{self.branch.name.partition('/')[2]}/{tag_of(name)}"

    async def reset(self, commit: str) -> None:
        """Have the files of a commit in the worktree, and nothing else: whatever a script has left there goes.

        Raises:
            GitError: Git refuses, or something cannot be removed.
        """
        strokes.take(self._git_dir / "index.lock")  # of a git that was killed: nobody else works here
        self.top.mkdir(exist_ok=True)
        self._point_back()
        files = await Git.of(self._git_dir, self.top)  # settings under a condition may hold here and nowhere else
        clean = ("clean", "-ffdxq")
        try:
            await files.ask(*clean, seconds=ALL_FILES_SECONDS)
        except GitError:
            await asyncio.to_thread(_open_up, self.top)
            await files.ask(*clean, seconds=ALL_FILES_SECONDS)
        await files.ask("read-tree", "--reset", "-u", commit, seconds=ALL_FILES_SECONDS)
        self._link()

    async def keep(self, commit: str, message: str, key: str) -> str:
        """Have the files of a commit at the end of the branch, once for each key: the same again is no second commit.

        A keep is appended with its score; a veto with the files of the champion before. Nothing is rewritten.

        Args:
            commit: Whose files they are.
            message: A line with the score, perhaps a blank one and more.
            key: What it is for, in letters, digits and blanks: ``keep exp-0007``, ``veto 12``.

        Returns:
            The commit on the branch.

        Raises:
            GitError: The branch is gone, or moved at the same moment.
        """
        return await self.branch.append(commit, message, key)

    async def blob(self, commit: str, file: str) -> bytes:
        """A file's content in a commit.

        Raises:
            GitError: It is not there, or is no file.
        """
        path = self.repository.inside + file
        try:
            return await self._git.raw("cat-file", "blob", f"{commit}:{path}")
        except GitError:
            raise GitError(f"{file} is not in commit {commit[:7]}: git knows only what is committed") from None

    async def files(self, commit: str) -> tuple[str, ...]:
        """All files of a commit, from the top of the worktree; links are among them, other repositories are not."""
        said = await self._git.ask("ls-tree", "-r", "-z", "--full-tree", commit)
        entries = (entry.partition("\t") for entry in said.split("\0") if entry)
        return tuple(path for about, _, path in entries if about.split()[1] == "blob")

    @property
    def guarded(self) -> tuple[Path, ...]:
        """What of the repository itself decides which programs git runs: no script's business."""
        return tuple(self.repository.common / name for name in ("config", "hooks", "info"))

    @property
    def _git(self) -> Git:
        return self.repository.git

    @property
    def _git_dir(self) -> Path:
        """The worktree's part of the repository."""
        return self.repository.common / "worktrees" / self.name

    def _point_back(self) -> None:
        """Have the worktree say whose it is, whatever a script has put there and wherever the folder was moved."""
        back = self._git_dir / "gitdir"
        if back.read_text(encoding="utf-8") != f"{self.top / '.git'}\n":
            write_text(back, f"{self.top / '.git'}\n")
        pointer, said = self.top / ".git", f"gitdir: {self._git_dir}\n"
        if pointer.is_symlink() or not pointer.is_file() or pointer.read_bytes() != said.encode():
            if pointer.is_dir() and not pointer.is_symlink():
                strokes.clear(pointer)
            strokes.take(pointer)
            write_text(pointer, said)

    def _link(self) -> None:
        """Links to what git does not know; git's own files come first."""
        base = self.repository.top / self.repository.inside
        for path in self.links:
            link, target = self.place / path, base / path
            if target.exists() and not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target)


async def _add(found: Repository, branch: Branch, top: Path) -> str:
    """Register a worktree, over whatever half of one a kill has left; its files come later.

    Returns:
        What the repository calls it.
    """
    place = await found.checked_out(branch.name)
    if place and not _same(place, top):
        raise GitError(f"{branch.name} is checked out at {place}: switch to another branch there")
    await found.git.ask("worktree", "remove", "--force", "--force", str(top), may_fail=True)
    await asyncio.to_thread(strokes.clear, top, quietly=True)
    await found.git.ask("worktree", "add", "--no-checkout", str(top), branch.name)
    pointer = (top / ".git").read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    return Path(pointer).name


def _made(run: Path) -> Path:
    """The run's folder, which a person's ``git status`` does not show."""
    run.mkdir(parents=True, exist_ok=True)
    ignored = run / ".gitignore"
    if not ignored.exists():
        write_text(ignored, "*\n")
    return run.absolute()


def _is_whole(git_dir: Path, top: Path) -> bool:
    return (git_dir / "index").exists() and top.is_dir()


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _open_up(folder: Path) -> None:
    """Make folders removable that a script has closed; links are not followed."""
    for inner in [folder, *folder.rglob("*")]:
        if inner.is_dir() and not inner.is_symlink():
            inner.chmod(0o700)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) and {"branch", "base"} <= found.keys() else {}  # pyright: ignore
