"""A user's own SavedModel, as one folder describes it: signature, payloads, and what it answers. Imports no TensorFlow.

The description is written by `servers.models.describe`, in a process that may import TensorFlow, and read by the
harness and by every server. The SavedModel itself stays where the user has it.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from servers.models.catalog import HERE, cache_dir
from servers.models.signature import Signature, signature_of
from servers.registry import ENDPOINTS
from servers.repository import REPOSITORY

_SOURCES: Final = (
    *sorted((REPOSITORY / "servers" / "core").rglob("*.py")),
    *(HERE / name for name in ("describe.py", "user_model.py", "signature.py")),
)
"""The code that a description depends on: editing it makes earlier ones stale."""

DESCRIPTION: Final = "user_model.json"
PROBES: Final = "probes.npz"

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


class UserModelError(ValueError):
    """A name, a path, a model or a payload that cannot be served; the message is one line, `hint` what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModelPayload:
    """One request to the model's endpoint, and what the model's own signature answers.

    `expected` is nested as the answer nests it under `expected_key`; `tolerance` is absolute, for its numbers.
    """

    name: str
    content_type: str
    body: bytes
    expected_key: str
    expected: Any
    tolerance: float

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal payload."""
        return {
            "name": self.name,
            "content_type": self.content_type,
            "body_b64": b64encode(self.body).decode("ascii"),
            "expected_key": self.expected_key,
            "expected": self.expected,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> UserModelPayload:
        """The inverse of `to_json`."""
        return cls(
            name=document["name"],
            content_type=document["content_type"],
            body=b64decode(document["body_b64"]),
            expected_key=document["expected_key"],
            expected=document["expected"],
            tolerance=document["tolerance"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModel:
    """The description of one SavedModel.

    `folder` is where the description lies. `payloads` are the requests that are sent to it. `sample` is one good
    request's inputs by name, as JSON nests them, for requests that are wrong in one place. `accepts` are the media
    types that its endpoint takes. `signature_defs` are all signatures of the file as TensorFlow Serving tells of them.
    """

    folder: Path
    saved_model: Path
    digest: str
    signature: Signature
    payloads: tuple[UserModelPayload, ...]
    sample: dict[str, Any]
    accepts: tuple[str, ...]
    signature_defs: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """As TensorFlow Serving has it: the name of the SavedModel's folder where that is a number, else 1."""
        name = self.saved_model.name
        return str(int(name)) if name.isascii() and name.isdigit() else "1"

    @property
    def beside(self) -> tuple[Signature, ...]:
        """The file's other signatures, as far as JSON can carry them: they are not probed, only served by name."""
        others = (signature_of(name, told) for name, told in self.signature_defs.items() if name != self.signature.name)
        return tuple(one for one in others if one is not None)

    def method(self, name: str) -> str:
        """The method of a signature, such as `tensorflow/serving/predict`; "" where the file names none."""
        found: str = self.signature_defs.get(name, {}).get("method_name", "")
        return found

    def write(self) -> None:
        """Put the description into its folder."""
        document = {
            "saved_model": str(self.saved_model),
            "digest": self.digest,
            "signature": self.signature.to_json(),
            "payloads": [payload.to_json() for payload in self.payloads],
            "sample": self.sample,
            "accepts": list(self.accepts),
            "signature_defs": self.signature_defs,
        }
        (self.folder / DESCRIPTION).write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> UserModel:
        """The description in `folder`. Raises FileNotFoundError where there is none."""
        document = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return cls(
            folder=folder,
            saved_model=Path(document["saved_model"]),
            digest=document["digest"],
            signature=Signature.from_json(document["signature"]),
            payloads=tuple(map(UserModelPayload.from_json, document["payloads"])),
            sample=document["sample"],
            accepts=tuple(document["accepts"]),
            signature_defs=document.get("signature_defs", {}),
        )


def split_option(text: str) -> tuple[str, Path]:
    """NAME and SAVED_MODEL of `--model`. Raises UserModelError for a name or a path that cannot be."""
    name, separator, path = text.partition("=")
    if not separator or not path:
        raise UserModelError(f"--model {text!r} is not NAME=SAVED_MODEL", "for example --model mine=path/to/my_model")
    if _NAME.match(name) is None:
        raise UserModelError(
            f"--model: {name!r} is no name for an endpoint", "a letter, then up to 63 letters, digits, - and _"
        )
    if name in ENDPOINTS:
        raise UserModelError(f"--model: /{name} is an endpoint already", "choose another name")
    return name, checked_folder(Path(path).expanduser())


def checked_folder(path: Path) -> Path:
    """`path`, absolute, where it has the files of a SavedModel. Raises UserModelError."""
    if not path.exists():
        raise UserModelError(f"--model: {path} does not exist", "name the folder that holds saved_model.pb")
    if not (path / "saved_model.pb").is_file() and not (path / "saved_model.pbtxt").is_file():
        export = path.suffix in (".keras", ".h5", ".hdf5")
        raise UserModelError(
            f"--model: {path} is not a SavedModel: it holds no saved_model.pb",
            "save it as one first: keras.models.load_model(...).export('my_model')"
            if export
            else "name the folder that tf.saved_model.save or Keras' model.export wrote",
        )
    return path.resolve()


def digest_of(saved_model: Path) -> str:
    """SHA-256 over the names and contents of every file of a SavedModel, 64 hex digits."""
    whole = hashlib.sha256()
    for file in sorted(path for path in saved_model.rglob("*") if path.is_file()):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").digest()
        whole.update(file.relative_to(saved_model).as_posix().encode() + b"\0" + content)
    return whole.hexdigest()


def description_folder(saved_model: Path, digest: str, payload: Path | None) -> Path:
    """Where the description of this SavedModel, asked with this payload, belongs, written or not."""
    whole = hashlib.sha256(f"{saved_model}\0{digest}\0{payload.suffix if payload else ''}\0".encode())
    for name in ("tensorflow", "ai-edge-litert"):
        try:
            whole.update(version(name).encode() + b"\0")
        except PackageNotFoundError:
            whole.update(b"none\0")
    for file in (*([payload] if payload else []), *_SOURCES):
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return cache_dir() / "user_models" / whole.hexdigest()[:16]
