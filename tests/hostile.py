"""Texts that want to do something to a terminal or to a screen, and a run in which every text from outside is one."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from checkpoints.reader import DATABASE

_ORDERS = (
    "]52;c;ZXZpbA==", "]0;owned", "]2;owned", "]8;;http://evil.example", "]9;owned", "]4;1;rgb:ff/ff/ff", "]10;#000",
    "]1337;File=:AAAA", "]777;notify;a;b", "]104", "]110", "]22;wait", 'P$q"p', "P1000p", "Ptmux;", "_Gf=100;AAAA",
    "^private", "Xstring", "[2J", "[H", "[31;5m", "[?1049l", "[?25h", "[?1000h", "[?2004h", "[6n", "[c", "[>c", "[18t",
    "[20t", "[5i", "[?8l", "[3J", "[r", "[1;1r", "[4h", "[!p", "[?3h", "[201~", "[?2026h", "c", "(0", ")0", "7", "8",
    "=", ">", "M", "N", "O", "#8", "D", "%G", "Z", "n", "o", "~",
)  # fmt: skip
"""What follows an escape character where a terminal is to do something."""

_INTRODUCED = itertools.cycle(
    (("\x1b", "\x07"), ("\x1b", "\x1b\\"), ("\x9b", "\x9c"), ("\x9d", "\x07"), ("\x90", "\x1b\\"))
)

_STRINGS = [f"a{intro}private{end}z" for intro in ("\x98", "\x9e", "\x9f", "\x1bX", "\x1b^", "\x1b_")
            for end in ("\x9c", "\x1b\\", "")]  # fmt: skip
"""What a terminal takes for itself up to an end that may never come: SOS, PM and APC, in one byte and in two."""

_PASTED = [
    "\x1b[200~rm -rf ~\n\x1b[201~",
    "\x1b[200~q",
    "a\x1b]52;c;?\x07z",
    "\x1b]8;;file:///etc/passwd\x1b\\x\x1b]8;;\x1b\\",
]

_ESCAPES = [f"a{intro}{order}{end}z" for order, (intro, end) in zip(_ORDERS, _INTRODUCED, strict=False)]
_CONTROLS = [f"a{chr(code)}b" for code in (*range(0x20), *range(0x7F, 0xA0))]
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_BIDIRECTIONAL = [f"user{chr(code)}gnp.exe" for code in _DIRECTIONS]
_BIDIRECTIONAL += ["שלום עולם 55.1 %", "مرحبا (12) بالعالم", "left שמאל right", "\u202eاللغة\u202c 7"]
_MARKUP = [
    "[red", "[/red]", "[/]", "[bold]x", "[link=http://evil.example]x[/link]", "[@click=app.quit]x[/]", "[[x]]", "\\[x",
    "[#ff", "[on", "[]", "[b][i]", "[/bold][/bold]", "[$primary]x", "{x}", "%s %d", "<script>alert(1)</script>",
    ":smile:", "[=", "[\\", "%(x)s %1000000d", "{0.__class__}", "$(reboot) `id`", "../../../etc/passwd",
    "~/.ssh/id_rsa",
    "[@click=app.bell]x[/]", "[blink reverse on red]x", "| a | b |\n|---|---|", "\ttab\x0bvertical\x0cfeed\x85next",
]  # fmt: skip
_PICTURES = [
    "👨\u200d👩\u200d👧\u200d👦 joined", "🇩🇪🇫🇷 flags", "👍🏽 tone", "❤\ufe0f variant", "1\ufe0f\u20e3 keycap", "漢字",
    "e\u0301\u0302\u0303" + "\u0304" * 500, "a\u200bb\u200cc\u200dd\ufeffe", "\u00adsoft", "ﷺ", "𒐫", "\u3000wide",
    "🏴\U000e0067\U000e007f tags", "\ue000 private", "\ufffe\uffff", "क्षि कि", "กำ", "ᄀ" * 40, "\u3164 filler",
    "\u2028 \u2029", "\u0e47" * 99, "раура1.соm", "ａｄｍｉｎ", "𝐛𝐨𝐥𝐝 𝒊𝒕", "\u180e\u2060\u2061 nothing",
    "x\ufe0e\U000e0100 variants",
    "🏴" + "".join(map(chr, range(0xE0020, 0xE007F))), "👩\u200d" * 200, "Z\u0335\u0336\u0337a\u0334l\u0338g\u0489o",
    "\u2066a\u2067b\u2068c", "\u202eabc\n\u202edef", "\u200f\u200e\u061c", "१२३ %", "\u1160\uffa0\u115f",
]  # fmt: skip
_LONG = [
    "x" * 10_000, "word " * 2_000, "line\n" * 10_000, "漢" * 10_000, "[" * 10_000, "\t" * 5_000, "🙂" * 300_000,
    "a\u0301" * 50_000, "x" * 1_000_000, "a\n" * 100_000, "\r\n" * 50_000, "\x1b[2J" * 100_000, "\u202e" * 100_000,
]  # fmt: skip

PAYLOADS = {
    "orders": [*_ESCAPES, *_STRINGS, *_PASTED, *_CONTROLS],
    "pictures": [*_PICTURES, *_BIDIRECTIONAL],
    "long": [*_LONG, *_MARKUP],
}
"""By what they are to do: give orders to the terminal, get its cells out of step, be too much or be markup."""

TOGETHER = 80
"""Characters of short texts that one place shows at once."""


def together(payloads: list[str]) -> list[str]:
    """The same texts, as many of the short ones in one as a line shows."""
    found = [""]
    for payload in payloads:
        if found[-1] and len(found[-1]) + len(payload) > TOGETHER:
            found.append("")
        found[-1] += f"{payload} "
    return found


PLACES = {
    "run": ("name", "goal", "reason"),
    "programs": ("text", "error"),
    "experiments": ("hypothesis", "category", "proposer", "note", "differs"),
    "stages": ("error",),
    "waits": ("what",),
    "votes": ("voter",),
    "voter_sessions": ("voter",),
    "answers": ("text",),
    "prompts": ("text",),
    "verdicts": ("reason",),
    "championships": ("reason",),
    "hypotheses": ("text", "category", "source", "refuted_by"),
    "zoom_outs": ("trigger", "steering", "text"),
    "interventions": ("reason", "effect"),
    "events": ("text",),
    "progress": ("doing", "detail"),
    "exchanges": ("model", "form", "request", "answer", "error"),
    "exclusions": ("voter", "reason"),
    "promotion_tests": ("reason",),
    "promotions": ("hypothesis", "reason"),
    "calibrations": ("judge", "reason"),
    "measurements": ("failure",),
    "refusals": ("proposer", "reason"),
    "notes": ("text",),
    "messages": ("text",),
    "speech": ("text",),
}
"""Columns that hold text from outside."""

INSIDE = {
    "experiments": ("change", "recipe", "expected"),
    "zoom_outs": ("categories", "directions"),
    "messages": ("ideas",),
    "refusals": ("proposal",),
    "interventions": ("detail",),
}
"""Columns that hold it within JSON."""

OWN = {
    "_sqlite_migrations": ("migration_set", "name", "applied_at"),
    "run": ("state",),
    "programs": ("sha256",),
    "experiments": ("state", "change_hash", "rests_on"),
    "stages": ("lane", "state", "order", "result", "failure"),
    "waits": ("lane",),
    "answers": ("prompt", "model"),
    "votes": ("key", "prompt", "model_a", "model_b", "choice"),
    "voter_sessions": ("model_a", "model_b"),
    "tallies": ("model_a", "model_b", "choice"),
    "verdicts": ("outcome", "win_rate", "anytime", "reference", "value", "effect"),
    "standings": ("model", "reference"),
    "hypotheses": ("status", "experiments"),
    "interventions": ("step", "done"),
    "events": ("level", "kind"),
    "metrics": ("phase", "values"),
    "prompts": ("id",),
    "promotion_tests": ("order", "outcome", "win_rate", "anytime"),
    "promotions": ("lift",),
    "looks": ("model",),
    "insights": ("name", "value"),
    "progress": ("lane",),
    "exchanges": ("purpose",),
    "messages": ("role",),
    "speech": ("purpose",),
    "measurements": ("role", "rows"),
}
"""Columns of text that only the program itself words: names, states, numbers, hashes."""


def poison(folder: Path, payloads: list[str], rows: int = 40) -> None:
    """Replace every text from outside in a run that nobody drives, each by the next of the payloads.

    Args:
        folder: Of the run.
        payloads: Put in one after the other, and again from the first.
        rows: How many of each table, the newest.
    """
    texts = itertools.cycle(payloads)
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        for table, columns in PLACES.items():
            for column in columns:
                _replace(db, table, column, texts, rows)
        for number, change, recipe in db.execute("SELECT number, change, recipe FROM experiments").fetchall():
            if change:
                evil = json.dumps({"field": f"training.{next(texts)}", "old": next(texts), "new": [next(texts)]})
                db.execute("UPDATE experiments SET change = ? WHERE number = ?", (evil, number))
            if recipe:
                whole = json.dumps({**json.loads(recipe), next(texts): next(texts)})
                db.execute("UPDATE experiments SET recipe = ? WHERE number = ?", (whole, number))
        db.execute("UPDATE zoom_outs SET categories = ?", (json.dumps([next(texts), next(texts)]),))
        db.execute("UPDATE zoom_outs SET directions = ?", (json.dumps([next(texts), next(texts)]),))
        db.execute("UPDATE messages SET ideas = ?", (json.dumps([{"text": next(texts), "category": next(texts)}]),))
        db.execute("UPDATE refusals SET proposal = ?", (json.dumps({"hypothesis": next(texts)}),))
        db.execute("UPDATE experiments SET expected = ?", (json.dumps({"effect": 0.1, "refuted_by": next(texts)}),))
        db.execute("UPDATE interventions SET detail = ?", (json.dumps({"text": next(texts)}),))
        db.execute(
            "UPDATE programs SET error = ? WHERE revision = (SELECT max(revision) FROM programs)", (next(texts),)
        )


def _replace(db: sqlite3.Connection, table: str, column: str, texts: Iterator[str], most: int) -> None:
    keys = [name for _, name, _, _, _, key in db.execute(f"PRAGMA table_info({table})") if key]
    where = " AND ".join(f'"{key}" = ?' for key in keys)
    rows = db.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall()
    for row in rows[-most:]:
        # A voter who was given the same text before keeps the name.
        db.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {where}", (next(texts), *row))
