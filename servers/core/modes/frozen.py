"""`frozen`: the SavedModel's graph with its weights as constants, which TensorFlow may fold and need not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servers.core.graph import built_from, frozen, traced

if TYPE_CHECKING:
    from servers.core.mode import Built, Called, Executable


def build(source: Executable[Called]) -> Built[Called]:
    """The frozen graph, wrapped again so that a call binds its arguments at once."""
    return built_from(traced(source, frozen(source).forward), source)
