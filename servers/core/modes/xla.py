"""`xla`: the frozen graph compiled to machine code by XLA.

XLA compiles anew for every batch size, a hundred milliseconds or more each time. So batches come in a few sizes, and
each of them is compiled before the first request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import tensorflow as tf

from servers.core.graph import built_from, frozen, traced
from servers.core.padding import in_buckets
from servers.core.row_counts import BUCKETS

if TYPE_CHECKING:
    from servers.core.mode import Built, Called, Executable


def build(source: Executable[Called]) -> Built[Called]:
    """The compiled graph; it is compiled while `warm_sizes` are run. A model whose shapes are fixed has one size."""
    made = frozen(source, guarded=True)
    compiled = tf.function(made.forward, autograph=False, jit_compile=True)
    function = traced(source, compiled)
    if not source.batched:
        return built_from(function, source, outputs=made.outputs)
    built = built_from(function, source, in_buckets, made.outputs)
    return replace(built, warm_sizes=BUCKETS, settings={"batch_sizes": list(BUCKETS)})
