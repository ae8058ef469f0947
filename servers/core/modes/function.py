"""`function`: the SavedModel's graph as it was saved, its weights in variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servers.core.graph import built_from, traced

if TYPE_CHECKING:
    from servers.core.mode import Built, Called, Executable


def build(source: Executable[Called]) -> Built[Called]:
    """The serving signature, wrapped once so that its arguments are positional and images may come as bytes."""
    return built_from(traced(source, source.forward()), source)
