"""Damage to bytes: what transport, editors and attackers do to a body that was good.

Every function takes the random source first and draws from it alone, so that a seed gives the same bytes again and
Hypothesis, which may stand behind the source, can shrink them.
"""

from __future__ import annotations

from random import Random
from typing import Final, TypeVar

_Item = TypeVar("_Item")

_EDGES: Final = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\r\n",
    b"\n",
    b" ",
    b'"',
    b"\\",
    b"%",
    b"=",
    b"&",
    b"+",
    b"-",
    b",",
)


def chance(random: Random, probability: float) -> bool:
    """True with a probability."""
    return random.random() < probability


def damaged(random: Random, data: bytes, *, most: int = 4) -> bytes:
    """`data` after one to `most` edits: a byte changed, put in, taken out, a run copied, or the end cut off."""
    edited = bytearray(data)
    for _ in range(random.randint(1, most)):
        at = random.randint(0, len(edited))
        match random.randint(0, 5):
            case 0 if at < len(edited):
                edited[at] = random.randint(0, 255)
            case 1 if at < len(edited):
                edited[at] ^= 1 << random.randint(0, 7)
            case 2:
                edited[at:at] = random.choice(_EDGES)
            case 3:
                del edited[at : at + random.randint(1, 4)]
            case 4:
                edited[at:at] = edited[at : at + random.randint(1, 16)]
            case _:
                del edited[at:]
    return bytes(edited)


def shuffled_items(random: Random, items: list[_Item]) -> list[_Item]:
    """A list after one edit: an item taken out, put in again, or swapped with another."""
    if not items:
        return items
    edited = list(items)
    at, other = random.randint(0, len(edited) - 1), random.randint(0, len(edited) - 1)
    match random.randint(0, 2):
        case 0:
            del edited[at]
        case 1:
            edited.insert(other, edited[at])
        case _:
            edited[at], edited[other] = edited[other], edited[at]
    return edited
