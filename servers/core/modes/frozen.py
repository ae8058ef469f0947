"""`frozen`: the SavedModel's graph with its weights as constants, which TensorFlow may fold and need not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from servers.core.graph import built_from, frozen_forward

if TYPE_CHECKING:
    from servers.core.mode import Built
    from servers.core.source import Source


def build(source: Source) -> Built:
    """The frozen graph, wrapped again so that a call binds its argument at once."""
    forward = frozen_forward(source)

    @tf.function(input_signature=[source.tensor_spec()], autograph=False)  # type: ignore[untyped-decorator]
    def whole(batch: Any) -> Any:
        return forward(batch)

    return built_from(whole, source.executor)
