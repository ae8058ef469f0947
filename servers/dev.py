"""A native app on its framework's own development server, as the article runs it: `app.run()`.

The article's Flask examples pass `debug=True`, which adds a file watcher that restarts the process. The watcher is left
out: it burns CPU time while the target should wait. The debugger's middleware stays.
"""

from __future__ import annotations

from servers.settings import Settings
from servers.target import Target


def main() -> None:
    """Serve until told to stop."""
    from servers.entry import app  # noqa: PLC0415 - importing it loads the models

    target_id, settings = Settings.from_environment()
    options = {"debug": True, "use_reloader": False} if Target.parse(target_id).framework == "flask-native" else {}
    app.run(host=settings.host, port=settings.port, **options)  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
