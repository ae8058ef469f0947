"""What an ASGI server leaves to the application: how many threads run its plain functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio.to_thread import current_default_thread_limiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Application = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
    ]


def with_threads(app: Application, threads: int) -> Application:
    """`app` with so many threads for its plain functions, where AnyIO would have 40."""

    async def limited(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            current_default_thread_limiter().total_tokens = threads
        await app(scope, receive, send)

    return limited
