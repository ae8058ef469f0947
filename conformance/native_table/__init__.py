"""What Flask and Bottle do by themselves where nothing stands between them and the client.

F is a framework's doing, S a development server's, and A is what both get wrong alike.
"""

from __future__ import annotations

from typing import Final

from conformance.native_table import image_forms, json_bodies, routes_and_media, wire_and_answers

DIVERGENCES: Final = (
    *routes_and_media.DIVERGENCES,
    *json_bodies.DIVERGENCES,
    *image_forms.DIVERGENCES,
    *wire_and_answers.DIVERGENCES,
)
"""Every row's root cause, in the order of the table."""
