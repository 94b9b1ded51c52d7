"""A run's branch: one commit for each keep and each step back, appended, never rewritten, none of them twice."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checkpoints.text import clean
from lanes.script.git import Git, GitError

KEY = "Autoresearch"
"""Trailer of a commit's message that says for what it was made, so that it is not made again after a kill."""

PREFIX = "autoresearch/"
"""How the name of a run's branch begins."""

_FILE, _PROGRAM = "100644", "100755"
_OTHERS = {"040000": "a folder", "120000": "a link", "160000": "another repository"}
_NOTHING = "0" * 40


@dataclass(frozen=True, slots=True)
class Branch:
    """The branch of a run."""

    git: Git
    name: str
    base: str
    """The commit that it begins at."""

    async def ensure(self) -> None:
        """Have the branch there.

        Raises:
            GitError: Git refuses.
        """
        if not await self.tip(may_fail=True):
            await self.git.ask("update-ref", self._ref, self.base, _NOTHING)

    async def tip(self, may_fail: bool = False) -> str:
        """The newest commit.

        Raises:
            GitError: There is no such branch (any more).
        """
        found = await commit_of(self.git, self._ref)
        if not found and not may_fail:
            raise GitError(f"the branch {self.name} is gone: what was kept is in the store, begin a new run to go on")
        return found

    async def done(self) -> dict[str, str]:
        """The commits that were made for a key, from the newest to the oldest."""
        fields = f"%(trailers:key={KEY},valueonly,separator=%x20)%x00%H"
        said = await self.git.ask("log", f"--format={fields}", f"{self.base}..{self._ref}", may_fail=True)
        pairs = (line.split("\0") for line in said.splitlines() if "\0" in line)
        return {key: commit for key, commit in pairs if key}

    async def append(self, tree: str, message: str, key: str, after: str = "") -> str:
        """Have one commit of a tree at the end of the branch for a key, however often it is asked for.

        Args:
            tree: Its files: a tree, or a commit whose tree is meant.
            message: A line, perhaps a blank one and more.
            key: What it is made for.
            after: The commit that must be the newest; empty where any may.

        Returns:
            The commit.

        Raises:
            GitError: The branch is gone, or moved at the same moment.
        """
        if made := (await self.done()).get(key):
            return made
        tip = await self.tip()
        if after not in ("", tip):
            raise GitError(f"{self.name} was moved by somebody else at the same moment")
        made = await commit_tree(self.git, f"{tree}^{{tree}}", (tip,), f"{message.rstrip()}\n\n{KEY}: {key}")
        await self.git.ask("update-ref", "-m", f"{KEY}: {key}", self._ref, made, tip)
        return made

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.name}"


async def free_name(git: Git, tag: str) -> str:
    """The next free name of a run's branch.

    Args:
        git: Of the repository.
        tag: What it should be called; what git takes in no name becomes a dash.
    """
    wanted = PREFIX + (tag_of(tag) or "run")
    taken = set((await git.ask("for-each-ref", "--format=%(refname)", f"refs/heads/{PREFIX}")).splitlines())
    number, name = 1, wanted
    while f"refs/heads/{name}" in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def tag_of(text: str) -> str:
    """A text as part of a branch's name: letters, digits and single dashes, at most 60 of them."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)
    return "-".join(part for part in plain.split("-") if part)[:60].strip("-").lower()


async def commit_of(git: Git, name: str) -> str:
    """The commit that a name stands for; empty where it stands for none."""
    return await git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", may_fail=True)


async def commit_tree(git: Git, tree: str, parents: tuple[str, ...], message: str) -> str:
    """Make a commit that no branch has yet."""
    before = [word for parent in parents for word in ("-p", parent)]
    return await git.ask("commit-tree", tree, *before, "-F", "-", given=clean(message).strip().encode() + b"\n")


async def tree_with(git: Git, commit: str, files: Mapping[str, bytes | None]) -> str:
    """The tree of a commit with some files other than there, in no index but one of its own.

    Args:
        git: Of the repository.
        commit: Whose tree it begins with.
        files: New contents by path, from the top of the repository; None where there should be no such file. What is
            a program there stays one.

    Raises:
        GitError: A path is a link or another repository in that commit, or leads through one.
    """
    entries = [
        f"{await _mode(git, commit, path)} {await _blob(git, content)}\t{path}\0"
        if content is not None
        else f"0 {_NOTHING}\t{path}\0"
        for path, content in files.items()
    ]
    with tempfile.TemporaryDirectory(prefix="autoresearch-index-") as folder:
        index = Path(folder) / "index"
        await git.ask("read-tree", commit, index=index)
        await git.ask("update-index", "-z", "--index-info", given="".join(entries).encode(), index=index)
        return await git.ask("write-tree", index=index)


async def _blob(git: Git, content: bytes) -> str:
    return await git.ask("hash-object", "-w", "--stdin", "--no-filters", given=content)


async def _mode(git: Git, commit: str, path: str) -> str:
    """What kind of file a path is in a commit."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise GitError(f"{path} is no path inside the repository")
    for above in ("/".join(parts[:depth]) for depth in range(1, len(parts))):
        kind = await git.ask("cat-file", "-t", f"{commit}:{above}", may_fail=True)
        if kind not in ("", "tree"):
            raise GitError(f"{above} is no folder: {path} cannot be below it")
    mode = (await git.ask("ls-tree", "--full-tree", commit, "--", path)).partition(" ")[0]
    if mode not in ("", _FILE, _PROGRAM):
        raise GitError(f"{path} is {_OTHERS.get(mode, 'no file')}: it cannot be changed")
    return mode or _FILE
