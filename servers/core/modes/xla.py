"""`xla`: the frozen graph compiled to machine code by XLA.

XLA compiles anew for every batch size, a hundred milliseconds or more each time. So batches come in a few sizes, and
each of them is compiled before the first request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from servers.core.buckets import BUCKETS
from servers.core.graph import built_from, frozen_forward
from servers.core.padding import in_buckets

if TYPE_CHECKING:
    from servers.core.mode import Built
    from servers.core.source import Source


def build(source: Source) -> Built:
    """The compiled graph; it is compiled while `warm_sizes` are run."""
    forward = frozen_forward(source)

    @tf.function(autograph=False, jit_compile=True)  # type: ignore[untyped-decorator]
    def compiled(batch: Any) -> Any:
        return forward(batch)

    @tf.function(input_signature=[source.tensor_spec()], autograph=False)  # type: ignore[untyped-decorator]
    def whole(batch: Any) -> Any:
        return compiled(batch)

    built = built_from(whole, source.executor)
    return replace(
        built,
        predict=in_buckets(built.predict),
        warm_sizes=BUCKETS,
        settings={"batch_sizes": list(BUCKETS)},
    )
