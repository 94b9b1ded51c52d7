"""Questions about votes, voters, and the answers that they voted on."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints.querying import Querying
from checkpoints.records import JUDGE, Answer, Choice, Tally, Vote, VoterMeans

_NO_JUDGE = f"voter NOT GLOB '{JUDGE}*'"

_COUNTS = f"{_NO_JUDGE} AND voter NOT IN (SELECT voter FROM exclusions)"


class VoteReader(Querying):
    """Answers questions about who voted how."""

    def answers(self, experiment: int, *prompts: str) -> list[Answer]:
        """What the models said in an experiment's evaluation, by prompt, to all prompts or to those given."""
        which = f"AND prompt IN ({', '.join('?' * len(prompts))})" if prompts else ""
        rows = self._all(
            f"SELECT experiment, prompt, model, text FROM answers WHERE experiment = ? {which}", experiment, *prompts
        )
        return [Answer(*row) for row in rows]

    def answered(self, experiment: int, model: str, other: str) -> list[str]:
        """Ids of the prompts that both models have answered in an experiment's evaluation."""
        rows = self._all(
            "SELECT prompt FROM answers WHERE experiment = ? AND model = ? AND prompt IN"
            " (SELECT prompt FROM answers WHERE experiment = ? AND model = ?) ORDER BY prompt",
            experiment, model, experiment, other,
        )  # fmt: skip
        return [row[0] for row in rows]

    def prompts(self, *ids: str) -> dict[str, str]:
        """What the models were asked, by the ids of the prompts; one that was not kept is left out."""
        marks = ", ".join("?" * len(ids))
        return dict(self._all(f"SELECT id, text FROM prompts WHERE id IN ({marks})", *ids))

    def tally(self, experiment: int, candidate: str, opponent: str, test: int = 0) -> Tally:
        """Votes of an experiment's evaluation, or of a promotion test, for one model against another."""
        won = {Choice.A: 0, Choice.TIE: 0, Choice.B: 0}
        turned = {"a": Choice.B, "tie": Choice.TIE, "b": Choice.A}
        for model_a, choice, n in self._all(
            "SELECT model_a, choice, n FROM tallies WHERE experiment = ? AND test = ?"
            " AND ((model_a = ? AND model_b = ?) OR (model_a = ? AND model_b = ?))",
            experiment, test, candidate, opponent, opponent, candidate,
        ):  # fmt: skip
            won[Choice(choice) if model_a == candidate else turned[choice]] += n
        return Tally(won[Choice.A], won[Choice.B], won[Choice.TIE])

    def voter_means(self, experiment: int, candidate: str, opponent: str, test: int = 0) -> VoterMeans:
        """The same with each voter counted as one: the means of those whose session has closed."""
        ours, theirs = ("a_wins", "b_wins") if candidate < opponent else ("b_wins", "a_wins")
        rows = self._all(
            f"SELECT closed_at IS NULL, ({ours} - {theirs}) * 1.0 / ({ours} + {theirs}) AS mean, count(*)"
            " FROM voter_sessions WHERE experiment = ? AND test = ? AND model_a = ? AND model_b = ?"
            " GROUP BY 1, 2 ORDER BY 2 DESC",
            experiment, test, min(candidate, opponent), max(candidate, opponent),
        )  # fmt: skip
        closed = tuple((mean, voters) for still_open, mean, voters in rows if not still_open and mean is not None)
        return VoterMeans(closed, sum(voters for still_open, _, voters in rows if still_open))

    def pair_counts(self) -> list[tuple[str, str, Choice, int]]:
        """All votes of the run that still count, as (model a, model b, choice, votes)."""
        rows = self._all("SELECT model_a, model_b, choice, sum(n) FROM tallies GROUP BY model_a, model_b, choice")
        return [(a, b, Choice(choice), n) for a, b, choice, n in rows]

    def tallies(self) -> dict[tuple[int, int, str, str, str], int]:
        """Votes as they are counted, by experiment, promotion test, the two models and the choice."""
        rows = self._all("SELECT experiment, test, model_a, model_b, choice, n FROM tallies WHERE n > 0")
        return {(experiment, test, a, b, choice): n for experiment, test, a, b, choice, n in rows}

    def votes(self, experiment: int | None = None, voter: str | None = None) -> list[Vote]:
        """Votes in the order in which they came, of all experiments or of one, by all voters or by one."""
        asked = {"experiment": experiment, "voter": voter}
        values = [value for value in asked.values() if value is not None]
        named = " AND ".join(f"{name} = ?" for name, value in asked.items() if value is not None)
        where = f"WHERE {named}" if named else ""
        rows = self._all(
            "SELECT experiment, key, voter, prompt, model_a, model_b, choice, simulated, at, test"
            f" FROM votes {where} ORDER BY seq",
            *values,
        )
        return [Vote(e, k, v, p, a, b, Choice(c), bool(s), at, test) for e, k, v, p, a, b, c, s, at, test in rows]

    def judges_votes(self) -> list[Vote]:
        """Those of language models as judges alone, of the whole run; a look-up among millions of people's votes."""
        found = self._all(f"SELECT DISTINCT voter FROM votes WHERE voter GLOB '{JUDGE}*'")
        return [vote for (voter,) in found for vote in self.votes(voter=voter)]

    def vote_columns(self, most: int) -> tuple[tuple[Sequence[str], ...], int]:
        """The newest votes of all who count, judges aside, as columns: model a, model b, choice, voter, prompt.

        Args:
            most: How many at most.

        Returns:
            The columns, in the order in which the votes came, empty where there are none; and how many older votes
            were left out.
        """
        counted = f"FROM votes WHERE {_COUNTS}"
        rows = self._all(f"SELECT model_a, model_b, choice, voter, prompt {counted} ORDER BY seq DESC LIMIT ?", most)
        whole = len(rows) if len(rows) < most else self._one(f"SELECT count(*) {counted}")[0]
        return tuple(zip(*reversed(rows), strict=True)), whole - len(rows)

    def votes_and_voters(self) -> tuple[int, int]:
        """How many votes count, judges aside, and how many voters cast them."""
        return self._one(f"SELECT count(*), count(DISTINCT voter) FROM votes WHERE {_COUNTS}")

    def closed_means(
        self, experiment: int, model: str, rival: str, after: float = 0.0, test: int = 0
    ) -> tuple[float, list[float]]:
        """Means of the voters on two models whose sessions closed after a mark, −1 to 1 for the first model, in the
        order in which they closed; and the mark to ask from next time.

        Args:
            experiment: Whose evaluation, or whose promotion test.
            model, rival: The two.
            after: The mark.
            test: Number of the promotion test; 0 for the verdict's votes.
        """
        ours, theirs = ("a_wins", "b_wins") if model < rival else ("b_wins", "a_wins")
        rows = self._all(
            f"SELECT closed_at, ({ours} - {theirs}) * 1.0 / ({ours} + {theirs}) FROM voter_sessions"
            " WHERE experiment = ? AND test = ? AND model_a = ? AND model_b = ? AND closed_at > ?"
            " AND a_wins + b_wins > 0 ORDER BY closed_at, last_at, voter",
            experiment, test, min(model, rival), max(model, rival), after,
        )  # fmt: skip
        return max((at for at, _ in rows), default=after), [mean for _, mean in rows]

    def count_closed(self, experiment: int, model: str, rival: str, until: float, test: int = 0) -> int:
        """How many means there are up to a mark of ``closed_means``: other than were read where voters were excluded
        or admitted again since, so that all are to be read anew."""
        return self._one(
            "SELECT count(*) FROM voter_sessions WHERE experiment = ? AND test = ? AND model_a = ? AND model_b = ?"
            " AND closed_at <= ? AND a_wins + b_wins > 0",
            experiment, test, min(model, rival), max(model, rival), until,
        )[0]  # fmt: skip

    def voters_on_pairs(self, experiment: int, test: int, after: int) -> tuple[int, list[tuple[str, str, str, str]]]:
        """Whose votes on what count, judges aside, after a mark: (prompt, model a, model b, voter); and the mark to ask
        from next time, or from 0 again where the exclusions are others."""
        rows = self._all(
            "SELECT seq, prompt, model_a, model_b, voter FROM votes"
            f" WHERE experiment = ? AND test = ? AND seq > ? AND {_COUNTS}",
            experiment, test, after,
        )  # fmt: skip
        return max((seq for seq, *_ in rows), default=after), [(p, a, b, voter) for _, p, a, b, voter in rows]

    def simulated_votes(self, experiment: int | None = None) -> bool:
        """Whether simulated voters have cast votes, in the run or for one experiment."""
        where, values = ("", ()) if experiment is None else ("AND experiment = ?", (experiment,))
        return self._maybe(f"SELECT 1 FROM votes WHERE simulated {where} LIMIT 1", *values) is not None

    def voters(self, experiment: int | None = None) -> dict[int, frozenset[bool]]:
        """Who voted, by experiment, of all or of one: simulated voters (True), people (False) or both."""
        where, values = ("", ()) if experiment is None else ("AND experiment = ?", (experiment,))
        found: dict[int, frozenset[bool]] = {}
        asked = f"SELECT DISTINCT experiment, simulated FROM votes WHERE {_NO_JUDGE} {where}"
        for number, simulated in self._all(asked, *values):
            found[number] = found.get(number, frozenset()) | {bool(simulated)}
        return found

    def vote_counts(self) -> dict[bool, int]:
        """How many votes simulated voters cast (True), and how many people (False)."""
        return {False: 0, True: 0} | {
            bool(simulated): n
            for simulated, n in self._all(f"SELECT simulated, count(*) FROM votes WHERE {_NO_JUDGE} GROUP BY simulated")
        }
