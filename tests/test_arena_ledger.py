"""The ledger: whatever is sent again or cut off in the middle, a vote is there once; who votes on what, and how."""

from __future__ import annotations

import sqlite3
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from arena_served import LINEUP, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.records import Choice
from lanes.arena.ballots import DECOY, Ballot, Exposure, Fate, Source, VoterFigures
from lanes.arena.ledger import Ledger
from lanes.arena.schema import LEDGER, LedgerError

CASTS = st.builds(
    lambda key, battle, voter, choice: ballot(battle, voter, choice, key=key),
    st.sampled_from("klmn"), st.integers(0, 1), st.sampled_from(["ann", "bob"]), st.sampled_from(Choice),
)  # fmt: skip


def ballot(
    battle: int | None, voter: str, choice: Choice = Choice.A, key: str = "", source: Source = Source.HELDOUT
) -> Ballot:
    name = None if battle is None else pair(battle, source).id
    return Ballot(
        key or f"{battle}/{voter}", name, source, f"prompt-{battle}", "exp-0001", "exp-0000", 1, 0, voter, choice, "",
        None, False, False, 1e9,
    )  # fmt: skip


class _Killed(Exception):
    pass


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.lists(CASTS, min_size=1, max_size=4), st.booleans()), max_size=8))
def test_each_key_and_each_voter_on_a_battle_counts_once_and_what_was_acknowledged_is_there(
    handed_in: list[tuple[list[Ballot], bool]],
) -> None:
    """A batch is handed in, and either acknowledged or cut off before it is durable; then all is opened anew."""
    counted: list[Ballot] = []
    with tempfile.TemporaryDirectory() as folder:
        for batch, cut in handed_in:
            with Ledger(Path(folder)) as ledger:
                try:
                    with ledger.together():
                        taken = ledger.add_ballots(batch)
                        if cut:
                            raise _Killed
                except _Killed:
                    continue
            for cast, each in zip(batch, taken, strict=True):
                rivals = [
                    other for other in counted
                    if other.key == cast.key or (other.voter, other.battle) == (cast.voter, cast.battle)
                ]  # fmt: skip
                same = all(other.says_the_same(cast) for other in rivals)
                assert each.fate is (Fate.COUNTED if not rivals else Fate.BEFORE if same else Fate.CONFLICT)
                counted += [] if rivals else [cast]
        with Ledger(Path(folder)) as ledger:
            found = ledger.ballots(0, 1000)
    assert [replace(each, seq=0) for each in found] == counted
    assert sorted({each.seq for each in found}) == [each.seq for each in found]


def test_a_person_is_given_the_pair_with_the_fewest_votes_that_has_room_and_that_they_have_not_voted_on(
    tmp_path: Path,
) -> None:
    with Ledger(tmp_path) as ledger:
        assert ledger.next_pair("ann") is None
        ledger.set_lineup(LINEUP.model_copy(update={"votes_per_prompt": 2}))
        ledger.add_pairs([pair(n, Source.HELDOUT) for n in range(3)] + [pair(3), pair(4, Source.ATTENTION)])
        seen: list[str] = []
        for voter in ("ann", "ann", "bob", "ann", "ann", "bob", "bob", "cid"):
            shown = ledger.next_pair(voter)
            seen.append(f"{voter} {shown.prompt[-1]}" if shown else f"{voter} none")
            if shown:
                ledger.add_ballots([replace(ballot(0, voter), battle=shown.id, key=f"{voter}/{shown.id}")])
        expected = ["ann 0", "ann 1", "bob 2", "ann 2", "ann none", "bob 0", "bob 1", "cid none"]
        assert seen == expected
        ledger.add_pairs([pair(5, Source.HELDOUT)])
        assert ledger.open_pairs() == 4
        ledger.close(1)
        assert (ledger.next_pair("ann"), ledger.open_pairs()) == (None, 0)


def test_people_go_from_one_open_question_to_the_other(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.set_lineup(LINEUP)
        two = [replace(pair(n, Source.HELDOUT), id=f"two-{n}", experiment=2) for n in range(2)]
        ledger.add_pairs([pair(n, Source.HELDOUT) for n in range(2)] + two)
        questions: list[int] = []
        for _ in range(4):
            shown = ledger.next_pair("ann")
            assert shown
            questions.append(shown.experiment)
            cast = replace(ballot(0, "ann"), battle=shown.id, experiment=shown.experiment, key=shown.id)
            ledger.add_ballots([cast])
        assert questions in ([1, 2, 1, 2], [2, 1, 2, 1])


def test_each_person_has_an_order_of_their_own_and_keeps_it() -> None:
    pairs = [pair(n, Source.HELDOUT) for n in range(200)]
    orders = [[each.as_shown_to(voter, b"secret") == each for each in pairs] for voter in ("ann", "bob", "ann")]
    assert orders[0] == orders[2] != orders[1]
    assert all(70 <= sum(order) <= 130 for order in orders)
    turned = next(each.as_shown_to("ann", b"secret") for each in pairs if each.as_shown_to("ann", b"secret") != each)
    assert (turned.model_a, turned.answer_a.endswith("champion")) == ("exp-0000", True)


def test_only_the_hash_of_a_token_is_kept_and_the_last_one_opens(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        first, second = (ledger.invite(["ann", "bob"]) for _ in range(2))
        assert ledger.voter_of(second["ann"]) == "ann"
        assert {ledger.voter_of(token) for token in (first["ann"], "", "ann")} == {None}
        assert ledger.invited() == ["ann", "bob"]
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert second["ann"].encode() not in content
    assert b"bob" in content


def test_how_a_person_votes_is_told_without_what_is_simulated(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        casts = [
            replace(ballot(1, "ann", Choice.A), seconds=1.0),
            replace(ballot(2, "ann", Choice.A), seconds=4.0),
            replace(ballot(3, "ann", Choice.B), seconds=2.0, at=2e9),
            ballot(4, "ann", Choice.TIE),
            replace(ballot(5, "ann", Choice.A), simulated=True),
            replace(ballot(6, "ann", Choice.B, source=Source.ATTENTION), model_a=DECOY),
            replace(ballot(7, "ann", Choice.TIE, source=Source.ATTENTION), model_b=DECOY, seconds=0.1),
        ]
        ledger.add_ballots(casts)
        (found,) = ledger.voter_figures()
        assert found == VoterFigures("ann", 4, 2, 1, 2.0, 1.0, 1, 1, 2e9)
        assert found.first_share == pytest.approx(2 / 3)
        ledger.invite(["bob"])
        assert [each.voter for each in ledger.voter_figures()] == ["ann", "bob"]
        assert ledger.voter_figures(["bob"])[0].first_share is None


def test_exposures_are_sums_by_experiment_and_model(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        for _ in range(2):
            ledger.add_exposure(Exposure(1, "exp-0001", answers=3, refusals=1, characters=40, seconds=0.5))
        ledger.add_exposure(Exposure(2, "exp-0001", errors=1))
        assert ledger.exposures(1) == [Exposure(1, "exp-0001", 6, 0, 2, 80, 1.0)]


def test_battles_and_the_lineup_are_read_as_they_were_written_by_any_connection(tmp_path: Path) -> None:
    with Ledger(tmp_path) as lane, Ledger(tmp_path) as service:
        version = service.data_version
        lane.set_lineup(LINEUP)
        assert service.data_version != version
        assert service.lineup() == LINEUP
        made = replace(pair(1, Source.HELDOUT), answer_a="<b>\x1b[31m“ä”", consent=True)
        lane.add_pairs([made, replace(made, answer_a="another")])
        assert service.pair(made.id) == made
        assert service.pair("nowhere") is None
        lane.set_lineup(LINEUP.model_copy(update={"arms": (), "champion": "exp-0002"}))
        assert service.models() == {"exp-0000", "exp-0001", "exp-0002", "reference"}


def test_a_foreign_or_newer_file_is_refused_with_one_line(tmp_path: Path) -> None:
    foreign_ones = {
        "id": "PRAGMA application_id = 7",
        "newer": "PRAGMA user_version = 99",
        "table": "CREATE TABLE t (a)",
    }
    for name, statement in foreign_ones.items():
        folder = tmp_path / name
        folder.mkdir()
        if name == "newer":
            Ledger(folder).disconnect()
        with sqlite3.connect(folder / LEDGER) as foreign:
            foreign.execute(statement)
        foreign.close()
        with pytest.raises(LedgerError, match=str(folder)) as refused:
            Ledger(folder)
        assert "\n" not in str(refused.value)
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / LEDGER).write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "noise")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "arena") as ledger:
        ledger.set_lineup(LINEUP)
        for file in (tmp_path / "arena").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
