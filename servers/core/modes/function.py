"""`function`: the SavedModel's graph as it was saved, its weights in variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from servers.core.graph import built_from

if TYPE_CHECKING:
    from servers.core.mode import Built
    from servers.core.source import Source


def build(source: Source) -> Built:
    """The serving signature, wrapped once so that its one argument is positional and images may come as bytes."""
    signature = source.signature()

    @tf.function(input_signature=[source.tensor_spec()], autograph=False)  # type: ignore[untyped-decorator]
    def whole(batch: Any) -> Any:
        return signature(x=source.prepare(batch))["y"]

    return built_from(whole, source.executor)
