"""What a language model says when it proposes, for tests and benches."""

from __future__ import annotations

from checkpoints.records import Json


def said(field: str = "training.beta", new: object = 0.2, category: str = "loss", **other: object) -> Json:
    """A proposal as its schema wants it; ``text``, ``belief``, ``rests_on``, ``effect``, ``differs`` and ``also``
    replace what it says there."""
    change: Json = {"field": field, "new": new}
    if "also" in other or field == "lora.r":
        change["also"] = other.get("also", [])
    return {
        "hypothesis": {
            "belief": other.get("belief"),
            "text": other.get("text", f"{field} of {new} is better"),
            "why": other.get("why", "it holds less"),
            "rests_on": other.get("rests_on", []),
        },
        "category": category,
        "change": change,
        "expected": {"effect": other.get("effect", 0.03), "refuted_by": "less than 51 % of the votes"},
        "differs": other.get("differs", ""),
    }
