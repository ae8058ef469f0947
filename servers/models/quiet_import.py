"""Imports TensorFlow without the lines that it writes to stderr on every import.

TensorFlow 2.21 logs to file descriptor 2 before its logging is set up, and heeds no `TF_CPP_MIN_LOG_LEVEL` there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

_STDERR = 2


def import_quietly() -> Any:
    """The tensorflow module. Where its import fails, all that it wrote is shown before the exception passes on.

    Redirects the whole process's stderr meanwhile: for use at the start of a process of one thread.
    """
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), _STDERR)
        try:
            import tensorflow as tf  # noqa: PLC0415 - the import is the point
        except BaseException:
            written.seek(0)
            os.write(kept, written.read())
            raise
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
    return tf
