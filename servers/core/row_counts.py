"""How many rows a request may bring, and how many a model is then run with."""

from __future__ import annotations

from typing import Final

MAX_ROWS: Final = 1024
"""Most rows of one request."""

PADDED_ROWS: Final = tuple(2**power for power in range(MAX_ROWS.bit_length()))
"""The row counts that a regression is ever run with: each is compared, compiled and warmed before the first request.

Without padding a mode that compiles for every shape (XLA) would compile up to 1024 times, while clients wait.
"""
