"""The consent of both persons of a face swap, as the style's card states it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def swapped_persons(card: Mapping[str, Any]) -> tuple[str, str]:
    """Return who is replaced and who takes the place; "" for one whose consent is not stated."""
    consent = card.get("consent")
    names = consent.get("of") if isinstance(consent, dict) else None
    given = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    one, other = (*given, "", "")[:2]
    return one, other


def swap_note(card: Mapping[str, Any]) -> str:
    """Return what files made with the swap say: whose faces they show, and that both agreed."""
    one, other = swapped_persons(card)
    return f"Face swap: the face of {other} in the place of {one}; both agreed, as stated at the training"
