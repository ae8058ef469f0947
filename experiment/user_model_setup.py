"""`--model NAME=SAVED_MODEL`: the user's own model, from the command line to what each part needs to know of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from conformance.case import Case, Figure
from conformance.inference_cases import inference_cases
from conformance.model_cases import ModelEndpoint, model_cases
from conformance.serving_cases import serving_cases
from experiment.describing import tried
from experiment.errors import usage
from experiment.journal_records import ModelRecord
from experiment.pace import UsualPace, usual_pace
from experiment.progress import Terminal
from servers.core.reply import JSON
from servers.models.catalog import cache_dir
from servers.models.signature import DATATYPES, Tensor
from servers.models.user_model import (
    Reading,
    UserModel,
    UserModelError,
    checked_folder,
    description_folder,
    digest_of,
    split_option,
)
from servers.settings import Settings
from servers.target import Target

NO_CODE: Final = "a SavedModel holds no Python code to run eagerly"

_ENCODINGS: Final = {JSON: "json", "image/jpeg": "image", "image/png": "image"}
_NOT_SERVED: Final = "serves the article's three models only"


@dataclass(frozen=True, kw_only=True)
class UserModelSetup:
    """The user's model, the endpoint that it stands behind, and the modes that cannot run it, each with its reason."""

    name: str
    payload: Path | None
    model: UserModel
    refusals: Mapping[str, str]
    reading: Reading = field(default_factory=Reading)

    def lacks(self, target: Target) -> str | None:
        """Why `target` cannot serve it; None where it can."""
        if not target.kind.contract:
            return f"{target.framework} {_NOT_SERVED}"
        return self.refusals.get(target.mode)

    def placed(self, settings: Settings) -> Settings:
        """`settings` of servers that have it."""
        return replace(settings, model_name=self.name, model_dir=self.model.folder)

    @property
    def encoding(self) -> str:
        """How its payloads travel, as scenarios name it."""
        return _ENCODINGS.get(self.model.payloads[0].content_type, "protobuf")

    @property
    def options(self) -> list[str]:
        """What of a command line brings it back."""
        payload = ["--payload", str(self.payload)] if self.payload else []
        return ["--model", f"{self.name}={self.model.saved_model}", *payload, *self.reading.options]

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """Its payloads and what its own signature answers, for the gate."""
        return tuple(
            Figure(
                content_type=payload.content_type,
                body=payload.body,
                expected=payload.expected,
                key=payload.expected_key,
                tolerance=payload.tolerance,
                spread=self.model.spread,
            )
            for payload in self.model.payloads
        )

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """What its endpoint is held to."""
        signature = self.model.signature
        spoken = all(tensor.dtype in DATATYPES for tensor in (*signature.inputs, *signature.outputs))
        endpoint = ModelEndpoint(
            name=self.name,
            shape={"tensor_content": "any_tensor"}.get(self.figures[0].key, self.figures[0].key),
            figures=self.figures,
            sample=self.model.sample,
            textual=frozenset(each.name for each in self.model.signature.inputs if each.kind == "string"),
            accept=", ".join(self.model.accepts),
            signature=signature.name,
            version=self.model.version,
            rows=signature.rows is not None,
            inputs=_datatypes(signature.inputs) if spoken else {},
            outputs=_datatypes(signature.outputs) if spoken else {},
        )
        return (*model_cases(endpoint), *serving_cases(endpoint), *inference_cases(endpoint))

    def record(self) -> ModelRecord:
        """What a run's header keeps of it, for the report and for going on."""
        return ModelRecord(
            name=self.name,
            saved_model=str(self.model.saved_model),
            digest=self.model.digest,
            payload=None if self.payload is None else str(self.payload),
            payload_digest=_payload_digest(self.payload),
            inputs=tuple(map(str, self.model.signature.inputs)),
            outputs=tuple(map(str, self.model.signature.outputs)),
            compared_with="its own signature in mode function, in place of a float64 reference",
            signature=self.reading.signature,
            tags=self.reading.tags,
            scale=self.reading.scale,
            fix=self.reading.fix,
            statements=self.model.statements,
        )


def set_up_user_model(
    terminal: Terminal,
    option: str | None,
    payload: Path | None,
    modes: Collection[str],
    reading: Reading | None = None,
) -> UserModelSetup | None:
    """What `--model`, `--payload` and the options of `reading` come to, tried in `modes`; None without them.

    Raises ExpectedError, before anything is served, where the model or the payload cannot be.
    """
    if option is None:
        if payload is not None:
            raise usage("--payload is a request to --model NAME=SAVED_MODEL", hint="give both")
        if reading is not None and reading.options:
            raise usage(f"{reading.options[0]} says how --model NAME=SAVED_MODEL is read", hint="give both")
        return None
    if reading is not None and reading.fix and payload is None:
        raise usage("--fix takes the sizes that a model leaves open from --payload FILE", hint="give both")
    try:
        name, saved_model = split_option(option)
        return _described(terminal, name, saved_model, payload, modes, reading or Reading())
    except UserModelError as error:
        raise usage(str(error), hint=error.hint) from error


def pace_folder(model: UserModelSetup | None) -> Path:
    """Where it is kept how long runs take: those of a user's model by themselves, since they tell nothing of others."""
    return model.model.folder if model else cache_dir()


def known_pace(model: UserModelSetup | None) -> UsualPace:
    """How long the parts of a run take here, as the last run tells: one of this model where there was one."""
    return usual_pace(pace_folder(model), usual_pace(cache_dir()))


def require_unchanged(record: ModelRecord) -> None:
    """Raise ExpectedError where the model of a run, or the payload, is not what its header recorded any more."""
    payload = None if record.payload is None else Path(record.payload)
    try:
        saved_model = checked_folder(Path(record.saved_model))
        changed = digest_of(saved_model) != record.digest
        if changed or (payload is not None and _payload_digest(payload) != record.payload_digest):
            what = saved_model if changed else payload
            raise usage(f"{what} has changed since the run began", hint="start a new run with it")
    except UserModelError as error:
        raise usage(str(error), hint=error.hint) from error


def refuse_in_vain(option: str | None, named: Sequence[Target]) -> None:
    """Raise ExpectedError for a target that a user named beside `--model` though no SavedModel can ever run on it."""
    for target in named if option else ():
        if target.mode == "eager":
            raise usage(f"{target.id} cannot serve --model: {NO_CODE}", hint="modes function, frozen, xla and lite can")
        if not target.kind.contract:
            raise usage(
                f"{target.id} cannot serve --model: {target.framework} {_NOT_SERVED}", hint="flask, bottle and wsgi can"
            )


def _described(  # noqa: PLR0917 - what the command line says, in its order
    terminal: Terminal, name: str, saved_model: Path, payload: Path | None, modes: Collection[str], reading: Reading
) -> UserModelSetup:
    if payload is not None and not payload.is_file():
        raise UserModelError(f"--payload {payload} does not exist", "name the file with the request's body")
    payload = None if payload is None else payload.resolve()
    folder = description_folder(saved_model, digest_of(saved_model), payload, reading)
    refusals = {"eager": NO_CODE}
    wanted = [mode for mode in modes if mode not in refusals]
    known = _read_modes(folder)
    untried = [mode for mode in wanted if mode not in known]
    if untried or not folder.is_dir():
        command = ["--saved-model", str(saved_model), "--out", str(folder), *reading.options]
        command += ["--payload", str(payload)] if payload else []
        with terminal.bar(f"Reading {saved_model.name}") as bar:
            known |= tried(command, untried, bar, folder)
        _write_modes(folder, known)
    model = UserModel.read(folder)
    for statement in model.statements:
        terminal.say(f"{name}: {statement}")
    for mode in wanted:
        if (reason := known[mode]) is not None:
            refusals[mode] = reason
            whole = f" (all of it: {model.said_by(mode)})" if model.said_by(mode).is_file() else ""
            terminal.say(f"{name}: {reason}{whole}")
    return UserModelSetup(name=name, payload=payload, model=model, refusals=refusals, reading=reading)


def _datatypes(tensors: Sequence[Tensor]) -> dict[str, str]:
    return {tensor.name: DATATYPES[tensor.dtype] for tensor in tensors}


def _read_modes(folder: Path) -> dict[str, str | None]:
    try:
        known: dict[str, str | None] = json.loads((folder / "modes.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return known


def _write_modes(folder: Path, known: Mapping[str, str | None]) -> None:
    fresh = folder / f".modes.{os.getpid()}"
    fresh.write_text(json.dumps(dict(known)), encoding="utf-8")
    fresh.replace(folder / "modes.json")


def _payload_digest(payload: Path | None) -> str | None:
    return None if payload is None else hashlib.sha256(payload.read_bytes()).hexdigest()
