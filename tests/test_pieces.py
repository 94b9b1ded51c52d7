"""The pieces of a streamed text: whole characters that join to the text that is decoded at once."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from served import MODEL
from tokenizers import Tokenizer

from lanes.workers.chat import Ask, Said
from lanes.workers.pieces import Pieces
from lanes.workers.reply import Reply

TOKENIZER = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
ASK = Ask("m", (), 0.0, 1.0, 8, 0)


def at_once(tokens: list[int]) -> str:
    return TOKENIZER.decode(tokens, skip_special_tokens=True).strip()


def growing(tokens: list[int]) -> list[str]:
    pieces = Pieces(TOKENIZER)
    return [pieces.add(token) for token in tokens]


@given(st.lists(st.integers(0, TOKENIZER.get_vocab_size() - 1), max_size=40))
@example(TOKENIZER.encode("  grüß 🇫🇷 👩‍👩‍👧 «日本»  \n ").ids)
def test_what_is_certain_of_any_tokens_is_a_beginning_of_the_whole_text(tokens: list[int]) -> None:
    whole, before = at_once(tokens), ""
    for text in growing(tokens):
        assert whole.startswith(text)
        assert text.startswith(before)
        before = text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=30))
def test_every_character_is_said_as_soon_as_it_is_whole(text: str) -> None:
    tokens = TOKENIZER.encode(text).ids
    said = growing(tokens)
    assert (said[-1] if said else "") == at_once(tokens)
    assert not any(piece.endswith("\ufffd") for piece in said)


def test_pieces_come_while_the_text_grows() -> None:
    said = growing(TOKENIZER.encode("The bread rises for an hour, then it is baked.").ids)
    assert len(set(said)) > 8


def test_a_reply_hears_each_character_once_and_the_rest_with_the_end() -> None:
    heard: list[str] = []
    reply = Reply(ASK, heard.append)
    for text in ("", "Brot", "Brot", "Brot und"):
        reply.tell(text)
    reply.finish(Said("Brot und \ufffd", 3, 5, "length"))
    assert heard == ["Brot", " und", " \ufffd"]
    assert reply.said.result().finish == "length"


def test_a_text_that_was_taken_back_is_a_failure_and_not_another_text() -> None:
    heard: list[str] = []
    reply = Reply(ASK, heard.append)
    reply.tell("Brot")
    reply.finish(Said("Brei", 3, 5, "stop"))
    with pytest.raises(RuntimeError, match="changed text"):
        reply.said.result()
    assert heard == ["Brot"]
