"""Why a target cannot be served at all, as opposed to a request that it refuses."""

from __future__ import annotations


class RefusedError(Exception):
    """The target cannot be served as asked; the message is one line for the user."""
