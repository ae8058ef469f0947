"""The article's three examples as one FastAPI application: typed models in, typed models out, plain `def`.

Plain `def` endpoints run in a pool of threads, so a prediction does not stop the event loop. The SavedModels are loaded
from the working directory and called as objects, as the article does.
"""

from __future__ import annotations

import base64
import io
from typing import Annotated, Final
from urllib.parse import parse_qs

import numpy as np
import tensorflow as tf
from fastapi import Depends, FastAPI, HTTPException, Request
from PIL import Image
from pydantic import BaseModel

INTERFACE: Final = "asgi"
NEEDS: Final = ("fastapi", "uvicorn")
EXTRA: Final = "fastapi"

app = FastAPI()

linear_regression = tf.saved_model.load("linear_regression_model")
cnn = tf.saved_model.load("cnn_image_classifier")
advanced = tf.saved_model.load("my_model")


class Feature(BaseModel):
    """What `/predict` takes."""

    feature: float


class Features(BaseModel):
    """What `/advanced_predict` takes."""

    feature1: float
    feature2: float


class Prediction(BaseModel):
    """What `/predict` answers."""

    prediction: float


class Predictions(BaseModel):
    """What `/advanced_predict` answers."""

    prediction: list[list[float]]


class Classification(BaseModel):
    """What `/classify` answers."""

    predicted_class: int


async def picture(request: Request) -> str:
    """The field `image` of the form, base64.

    FastAPI's own `Form` would need python-multipart, whose second module `multipart` would shadow the core's parser.
    """
    fields = parse_qs((await request.body()).decode(errors="replace"))
    if "image" not in fields:
        raise HTTPException(status_code=422, detail="Field required: image")
    return fields["image"][0]


@app.post("/predict")
def predict(one: Feature) -> Prediction:
    """The article's example 1, in FastAPI's idiom."""
    answer = linear_regression(np.array([[one.feature]], dtype=np.float32)).numpy()
    return Prediction(prediction=float(answer[0, 0]))


@app.post("/classify")
def classify(image: Annotated[str, Depends(picture)]) -> Classification:
    """The article's example 2."""
    opened = Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB").resize((224, 224))
    pixels = np.asarray(opened, dtype=np.float32) / np.float32(255)
    return Classification(predicted_class=int(np.argmax(cnn(pixels[np.newaxis]).numpy())))


@app.post("/advanced_predict")
def advanced_predict(both: Features) -> Predictions:
    """The article's example 3."""
    answer = advanced(np.array([[both.feature1, both.feature2]], dtype=np.float32)).numpy()
    return Predictions(prediction=answer.tolist())
