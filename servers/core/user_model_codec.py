"""Requests to a user's model taken apart, and its outputs put together: three encodings, one signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core import any_tensor, nested
from servers.core.images import by_pillow, decode_image
from servers.core.json_text import parse
from servers.core.reply import JSON, ApiError, Reply, encode, invalid_input
from servers.core.tensor_proto import PROTOBUF
from servers.models.signature import SCALES, Scale, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.images import Resize
    from servers.core.mode import Arrays
    from servers.core.request import MediaType, Request
    from servers.models.signature import Signature, Tensor

INSTANCES, INPUTS = "instances", "inputs"
PREDICTIONS, OUTPUTS = "predictions", "outputs"
SIGNATURE_NAME: Final = "signature_name"
FORM: Final = "application/x-www-form-urlencoded"
"""What `curl -d` says of any body, and what clients of TensorFlow Serving therefore say of JSON."""
IMAGES: Final = ("image/jpeg", "image/png")

_IMAGE_RANK: Final = 4
_MODES: Final = {1: "L", 3: "RGB"}
SCALE_HINT: Final = f"--scale {'|'.join(SCALES)}|MEAN/DEVIATION"
_NO_ROWS: Final = f"this model does not answer row by row; send {INPUTS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserModelCodec:
    """How one signature is asked over HTTP, and those `beside` it, which a request in JSON may name in its place.

    `unasked` is one of which nobody knows yet whether it answers by row.
    """

    signature: Signature
    beside: tuple[Signature, ...] = ()
    unasked: bool = False

    @property
    def accepts(self) -> tuple[str, ...]:
        """Media types.

        JSON always, under the name of a form too; a tensor where one goes in and numbers come out; a picture where the
        input is one.
        """
        one = len(self.signature.inputs) == 1
        numbers = [each.kind != "string" and not each.ragged for each in self.signature.outputs] == [True]
        tensors = (PROTOBUF,) if one and numbers else ()
        pictures = one and image_size(self.signature.inputs[0]) and self.signature.scale
        return (JSON, *tensors, FORM, *(IMAGES if pictures else ()))

    def inputs(self, request: Request, resize: Resize = by_pillow) -> tuple[Arrays, str]:
        """The model's inputs, checked, and the name under which they are answered. Raises ApiError."""
        _, found, form = self.question(request, resize)
        return found, form

    def question(self, request: Request, resize: Resize = by_pillow) -> tuple[UserModelCodec, Arrays, str]:
        """The codec of the signature that is asked, its inputs, checked, and the name under which they are answered.

        Raises ApiError.
        """
        media, body = self._opened(request)
        if media.essence == PROTOBUF:
            (tensor,) = self.signature.inputs
            found = any_tensor.array_of(body, tensor.sizes, tensor)
            self.check_rows((found,), "/tensor_shape")
            return self, (found,), PROTOBUF
        if media.essence in IMAGES:
            (tensor,) = self.signature.inputs
            return self, (self._picture(body, tensor, resize),), PREDICTIONS if self.signature.rows else OUTPUTS
        return self.question_in_json(body)

    def question_in_json(self, body: bytes) -> tuple[UserModelCodec, Arrays, str]:
        """As `question`, of a body that is JSON whatever its media type."""
        whole = any(tensor.kind == "integer" for one in (self.signature, *self.beside) for tensor in one.inputs)
        document = parse(body, integers=whole)
        if not isinstance(document, dict):
            raise invalid_input("", "must be an object")
        if (INSTANCES in document) == (INPUTS in document):
            raise invalid_input("", f"must have either {INSTANCES} or {INPUTS}")
        chosen = self.chosen(document)
        if INSTANCES in document:
            return chosen, chosen.rows(document[INSTANCES]), PREDICTIONS
        return chosen, chosen.columns(document[INPUTS]), OUTPUTS

    def chosen(self, document: dict[str, Any]) -> UserModelCodec:
        """The codec of the signature that a request names; this one where it names none. Raises ApiError."""
        name = document.get(SIGNATURE_NAME, self.signature.name)
        if name == self.signature.name:
            return self
        for one in self.beside:
            if one.name == name:
                return UserModelCodec(signature=one)
        known = ", ".join(one.name for one in (self.signature, *self.beside))
        raise invalid_input(f"/{SIGNATURE_NAME}", f"must be a signature that is served here: {known}")

    def run_name(self, model: str, codec: UserModelCodec) -> str:
        """Under which name the signature of `codec`, as `chosen` gave it, is run."""
        return model if codec is self else beside_name(model, codec.signature)

    def _opened(self, request: Request) -> tuple[MediaType, bytes]:
        """As `Request.open`; where a picture is refused because nobody has said its scale, the error says so."""
        try:
            return request.open(self.accepts)
        except ApiError as error:
            if error.status != 415 or not self.lacks_scale or not request.content_type.startswith(IMAGES):
                raise
            text = f"{error.text}; for pictures the server is started with {SCALE_HINT}"
            raise ApiError(status=error.status, code=error.code, text=text, headers=error.headers) from error

    @property
    def lacks_scale(self) -> bool:
        """Whether the input takes pictures, and on which scale nobody has said: it is never guessed."""
        inputs, signature = self.signature.inputs, self.signature
        return len(inputs) == 1 and image_size(inputs[0]) is not None and signature.scale is None

    def reply(self, outputs: Arrays, form: str) -> Reply:
        """The answer under `form`, as `inputs` gave it. Raises ApiError where an output cannot be told."""
        tensors = self.signature.outputs
        outputs = nested.whole(outputs, tensors)
        if form == PROTOBUF:
            body = any_tensor.bytes_of(outputs[0], tensors[0])
            return Reply(status=200, body=body, headers=(("Content-Type", PROTOBUF),))
        pointer = f"/{INSTANCES if form == PREDICTIONS else INPUTS}"
        firsts = {array.shape[:1] for array in outputs}
        if form == PREDICTIONS and (() in firsts or len(firsts) > 1):
            raise invalid_input(pointer, _NO_ROWS)
        if len(tensors) == 1:
            return _reply(form, nested.text_of(outputs[0], tensors[0], pointer))
        names = [encode(tensor.name).decode() for tensor in tensors]
        if form == OUTPUTS:
            texts = [nested.text_of(array, tensor, pointer) for array, tensor in zip(outputs, tensors, strict=True)]
            return _reply(form, _object(names, texts))
        rows = []
        for at in range(len(outputs[0])):
            where = f"{pointer}/{at}"
            # A slice stays an array, where one string alone would be bytes.
            own = [array[at : at + 1].reshape(array.shape[1:]) for array in outputs]
            row = [nested.text_of(array, tensor, where) for array, tensor in zip(own, tensors, strict=True)]
            rows.append(_object(names, row))
        return _reply(form, f"[{','.join(rows)}]")

    def _picture(self, body: bytes, tensor: Tensor, resize: Resize) -> NDArray[Any]:
        size = image_size(tensor)
        assert size is not None and self.signature.scale is not None  # noqa: S101, PT018 - else it is not accepted
        height, width, channels = size
        levels = decode_image(body, width, height, _MODES[channels], resize).reshape(1, height, width, channels)
        if tensor.dtype == "uint8":
            return levels
        scale = Scale.parse(self.signature.scale)
        shifted = levels - np.asarray(scale.mean, np.float32)
        return (shifted / np.asarray(scale.deviation, np.float32)).astype(tensor.dtype)

    def rows(self, instances: Any) -> Arrays:
        """Row format: a list of instances, each the value of the one input, or an object with every input."""
        pointer = f"/{INSTANCES}"
        if self.signature.rows is None:
            raise invalid_input(pointer, _NO_ROWS)
        least, most = self.signature.rows
        if type(instances) is not list or not least <= len(instances) <= most:
            count = str(most) if least == most else f"{least} to {most}"
            raise invalid_input(pointer, f"must be an array of {count} instances")
        tensors = self.signature.inputs
        if self._bare(instances[0], tensors[0]):
            tensor = tensors[0]
            # One pass over all rows where they are good; row by row only to say which one is not.
            try:
                return (nested.array_of(instances, (len(instances), *tensor.sizes[1:]), tensor, pointer),)
            except ApiError:
                for at, one in enumerate(instances):
                    nested.array_of(one, tensor.sizes[1:], tensor, f"{pointer}/{at}")
                raise
        columns: list[list[NDArray[Any]]] = [[] for _ in tensors]
        for at, one in enumerate(instances):
            for column, tensor in zip(columns, tensors, strict=True):
                where = f"{pointer}/{at}"
                value = _member(one, tensor, where)
                column.append(nested.array_of(value, tensor.sizes[1:], tensor, nested.pointer_to(where, tensor.name)))
        for column in columns:
            if len({row.shape for row in column}) > 1:
                raise invalid_input(pointer, "must be instances of one shape")
        return tuple(np.stack(column) for column in columns)

    def columns(self, inputs: Any) -> Arrays:
        """Column format: the value of the one input, or an object with every input."""
        pointer = f"/{INPUTS}"
        tensors = self.signature.inputs
        if self._bare(inputs, tensors[0]):
            found: Arrays = (nested.array_of(inputs, tensors[0].sizes, tensors[0], pointer),)
        else:
            found = tuple(
                nested.array_of(
                    _member(inputs, tensor, pointer), tensor.sizes, tensor, nested.pointer_to(pointer, tensor.name)
                )
                for tensor in tensors
            )
        self.check_rows(found, pointer)
        return found

    def _bare(self, value: Any, tensor: Tensor) -> bool:
        """Whether the value of the only input stands without its name."""
        if len(self.signature.inputs) > 1:
            return False
        text = tensor.kind == "string" and tensor.name != nested.B64
        return not isinstance(value, dict) or (text and set(value) == {nested.B64})

    def check_rows(self, found: Arrays, pointer: str) -> None:
        """Hold the inputs' rows to what the signature takes. Raises ApiError at `pointer`.

        Their numbers may differ where the rows of one input are not those of another; then it is for the model to say.
        """
        limits = rows_of(self.signature.inputs)
        if limits is None:
            return
        counts = {len(array) for array in found}
        if not self.signature.independent or self.unasked:
            # Queries and candidates: the model knows by itself which numbers of rows go together.
            if max(counts) > limits[1]:
                raise invalid_input(pointer, f"must have at most {limits[1]} rows in every input")
            return
        if len(counts) > 1 or max(counts) > limits[1]:
            raise invalid_input(pointer, f"must have one number of rows in every input, at most {limits[1]}")


def beside_name(model: str, signature: Signature) -> str:
    """What another signature of a model is run under; no model is called so, since no name has a colon."""
    return f"{model}:{signature.name}"


def image_size(tensor: Tensor) -> tuple[int, int, int] | None:
    """Height, width and channels of the pictures that an input takes; None where it takes no pictures.

    A picture is [rows, height, width, 1 or 3] of uint8 levels, or of floating-point numbers on the scale of `Scale`.
    """
    sizes = tensor.sizes
    if len(sizes) != _IMAGE_RANK or (tensor.kind != "number" and tensor.dtype != "uint8"):
        return None
    rows, height, width, channels = sizes
    if rows not in (None, 1) or height is None or width is None or channels not in _MODES:
        return None
    return height, width, channels


def _member(value: Any, tensor: Tensor, pointer: str) -> Any:
    if not isinstance(value, dict):
        raise invalid_input(pointer, "must be an object with every input by its name")
    if tensor.name not in value:
        raise invalid_input(nested.pointer_to(pointer, tensor.name), "is required")
    return value[tensor.name]


def _object(names: list[str], texts: list[str]) -> str:
    # The signature's outputs are in the order of their names, as the contract writes members.
    return f"{{{','.join(f'{name}:{text}' for name, text in zip(names, texts, strict=True))}}}"


def _reply(form: str, text: str) -> Reply:
    return Reply(status=200, body=f'{{"{form}":{text}}}'.encode())
