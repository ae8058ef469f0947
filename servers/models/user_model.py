"""A user's own SavedModel, as one folder describes it: signature, payloads, and what it answers. Imports no TensorFlow.

The description is written by `servers.models.describe`, in a process that may import TensorFlow, and read by the
harness and by every server. The SavedModel itself stays where the user has it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
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
    *sorted(HERE.glob("*.py")),
)
"""The code that a description depends on: editing it makes earlier ones stale."""

DESCRIPTION: Final = "user_model.json"
PROBES: Final = "probes.npz"
SERVABLE: Final = "servable"

_FILES: Final = ("saved_model.pb", "saved_model.pbtxt")
_EXPORT: Final = '{python} -c "import keras; keras.models.load_model({path!r}, compile=False).export({saved!r})"'

_MOST_NAMED: Final = 5

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


class UserModelError(ValueError):
    """A name, a path, a model or a payload that cannot be served; the message is one line, `hint` what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a SavedModel is to be read, as the command line says it; None where it leaves that to the model.

    `signature` and `tags` choose among those that the file has; `scale` is what the levels of a picture become. `fix`
    takes the sizes that the signature leaves open from the payload.
    """

    signature: str | None = None
    tags: str | None = None
    scale: str | None = None
    fix: bool = False

    @property
    def options(self) -> list[str]:
        """What of a command line brings it back."""
        return ["--fix"] * self.fix + [
            word
            for option, value in (("--signature", self.signature), ("--tags", self.tags), ("--scale", self.scale))
            if value is not None
            # One word: a scale may begin with a minus.
            for word in (f"{option}={value}",)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModelPayload:
    """One request to the model's endpoint, and what the model's own signature answers.

    `expected` is nested as the answer nests it under `expected_key`; `tolerance` is absolute, for its numbers. `spread`
    is by how much the model's own answers differ from call to call.
    """

    name: str
    content_type: str
    body: bytes
    expected_key: str
    expected: Any
    tolerance: float
    spread: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal payload."""
        return {
            "name": self.name,
            "content_type": self.content_type,
            "body_b64": b64encode(self.body).decode("ascii"),
            "expected_key": self.expected_key,
            "expected": self.expected,
            "tolerance": self.tolerance,
            "spread": self.spread,
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
            spread=document["spread"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModel:
    """The description of one SavedModel.

    `folder` is where the description lies. `payloads` are the requests that are sent to it. `sample` is one good
    request's inputs by name, as JSON nests them, for requests that are wrong in one place. `accepts` are the media
    types that its endpoint takes. `signature_defs` are all signatures of the file as TensorFlow Serving tells of them.
    `statements` are what was found out about it, each with what it rests on. `spread` is the largest difference between
    two answers of its own to one question, `request_s` what a request took, JSON and the signature's call.
    """

    folder: Path
    saved_model: Path
    digest: str
    signature: Signature
    payloads: tuple[UserModelPayload, ...]
    sample: dict[str, Any]
    accepts: tuple[str, ...]
    statements: tuple[str, ...] = ()
    spread: float = 0.0
    request_s: float | None = None
    signature_defs: dict[str, Any] = field(default_factory=dict)

    @property
    def servable(self) -> Path:
        """The SavedModel as servers read it: its graph, signatures, tables and assets, without Python's objects."""
        return self.folder / SERVABLE

    def said_by(self, mode: str) -> Path:
        """The file with all that a mode's compiler or converter said, where it could not run the model."""
        return self.folder / f"mode-{mode}.txt"

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
            "statements": list(self.statements),
            "spread": self.spread,
            "request_s": self.request_s,
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
            statements=tuple(document["statements"]),
            spread=document["spread"],
            request_s=document.get("request_s"),
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
    """The folder with the files of a SavedModel, absolute.

    It is `path`, or the highest version in it, as TensorFlow Serving chooses. Raises UserModelError.
    """
    if not path.exists():
        raise UserModelError(f"--model: {path} does not exist", "name the folder that holds saved_model.pb")
    if path.name in _FILES:
        path = path.parent
    if _is_saved_model(path):
        return path.resolve()
    if path.is_file():
        raise UserModelError(*_of_another_kind(path))
    within = sorted(each for each in path.iterdir() if each.is_dir() and _is_saved_model(each))
    versions = [each for each in within if each.name.isdecimal()]
    if versions:
        return max(versions, key=lambda each: int(each.name)).resolve()
    if within:
        names = ", ".join(map(str, within[:_MOST_NAMED]))
        raise UserModelError(f"--model: {path} holds SavedModels, and is none itself", f"name one of them: {names}")
    files = sorted(each for each in path.iterdir() if each.is_file() and _kind_of(each))
    if files:
        raise UserModelError(*_of_another_kind(files[0]))
    raise UserModelError(
        f"--model: {path} is not a SavedModel: it holds no saved_model.pb",
        "name the folder that tf.saved_model.save or Keras' model.export wrote",
    )


def _is_saved_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _FILES)


def _kind_of(file: Path) -> str | None:
    """What a model's file is, by its first bytes and not by its name."""
    with file.open("rb") as opened:
        head = opened.read(8)
    if head.startswith(b"\x89HDF"):
        return (
            "weights or a model of Keras in HDF5" if file.name.endswith(".weights.h5") else "a model of Keras in HDF5"
        )
    if head[4:8] == b"TFL3":
        return "a model of LiteRT"
    if head.startswith(b"PK\x03\x04") and file.suffix == ".keras":
        return "a model of Keras"
    return None


def _of_another_kind(file: Path) -> tuple[str, str]:
    kind = _kind_of(file)
    said = f"--model: {file} is {kind or 'a file'}, not a SavedModel"
    if kind is None:
        return said, "name the folder that holds saved_model.pb"
    if "LiteRT" in kind:
        return said, "nothing makes a SavedModel of it again: name the one that it was made from; mode lite converts it"
    saved = file.with_suffix("").name + "_saved_model"
    # This interpreter has Keras, which one that is only called python3 may not have.
    python = shlex.quote(sys.executable.removeprefix(f"{Path.cwd()}{os.sep}"))
    return said, "make one of it: " + _EXPORT.format(python=python, path=str(file), saved=saved)


def digest_of(saved_model: Path) -> str:
    """SHA-256 over the names and contents of every file of a SavedModel, 64 hex digits."""
    whole = hashlib.sha256()
    for file in sorted(path for path in saved_model.rglob("*") if path.is_file()):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").digest()
        whole.update(file.relative_to(saved_model).as_posix().encode() + b"\0" + content)
    return whole.hexdigest()


def description_folder(saved_model: Path, digest: str, payload: Path | None, reading: Reading) -> Path:
    """Where the description of this SavedModel, read so and asked with this payload, belongs, written or not."""
    asked = "\0".join((payload.suffix if payload else "", *reading.options))
    whole = hashlib.sha256(f"{saved_model}\0{digest}\0{asked}\0".encode())
    for name in ("tensorflow", "ai-edge-litert"):
        try:
            whole.update(version(name).encode() + b"\0")
        except PackageNotFoundError:
            whole.update(b"none\0")
    for file in (*([payload] if payload else []), *_SOURCES):
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return cache_dir() / "user_models" / whole.hexdigest()[:16]
