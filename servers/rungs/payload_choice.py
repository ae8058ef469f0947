"""Which payloads the ladder sends, few enough to be swept in every round."""

from __future__ import annotations

from typing import Final

from servers.models.payloads import Payload, payloads

_PICTURES: Final = (0, 3, 4, 7, 8)
"""One picture of each side, JPEG and PNG in turn, out of the first ten."""

_ROWS: Final = 8


def chosen_payloads(endpoint: str, encoding: str) -> tuple[Payload, ...]:
    """Rows of held-out patients, or a picture of every size."""
    if endpoint != "classify":
        return payloads(endpoint, encoding, _ROWS)
    made = payloads(endpoint, encoding, max(_PICTURES) + 1)
    return tuple(made[at] for at in _PICTURES)
