"""How many rows a request may bring, and how many a model is then run with.

Known to the harness and to the process that serves, so it imports nothing.
"""

from __future__ import annotations

from typing import Final

MAX_ROWS: Final = 1024
"""Most rows of one request."""

PADDED_ROWS: Final = tuple(2**power for power in range(MAX_ROWS.bit_length()))
"""The row counts that a regression is ever run with: each is compared, compiled and warmed before the first request.

Without padding a mode that compiles for every shape (XLA) would compile up to 1024 times, while clients wait.
"""


BUCKETS: Final = (1, 2, 4, 8, 16, 32)
"""Rows of a padded batch. Few sizes, because each is traced, compiled and warmed before the first request."""

LARGEST: Final = BUCKETS[-1]


def buckets(max_batch: int) -> tuple[int, ...]:
    """The sizes that batches of up to `max_batch` rows are padded to; `(1,)` without batching (0).

    Raises ValueError where `max_batch` is beyond the largest bucket.
    """
    return BUCKETS[: BUCKETS.index(bucket(max(max_batch, 1))) + 1]


def bucket(rows: int) -> int:
    """The smallest bucket that holds `rows`; raises ValueError beyond the largest."""
    for size in BUCKETS:
        if size >= rows:
            return size
    raise ValueError(f"{rows} rows are more than the largest bucket, {LARGEST}")
