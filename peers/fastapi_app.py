"""The article's two endpoints as a FastAPI author would write them: typed models in, typed models out, plain `def`.

Plain `def` endpoints run in Starlette's thread pool, so a prediction does not stop the event loop. The SavedModels are
loaded from the working directory and called as objects, as in the native applications.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import tensorflow as tf
from fastapi import FastAPI
from PIL import Image
from pydantic import BaseModel

app = FastAPI()

linear_regression = tf.saved_model.load("linear_regression_model")
cnn = tf.saved_model.load("cnn_image_classifier")


class Features(BaseModel):
    """What `/predict` takes."""

    feature: float


class Picture(BaseModel):
    """What `/classify` takes: base64."""

    image: str


class Prediction(BaseModel):
    """What `/predict` answers."""

    prediction: float


class Classification(BaseModel):
    """What `/classify` answers."""

    predicted_class: int


@app.post("/predict")
def predict(features: Features) -> Prediction:
    """One number from one number."""
    answer = linear_regression(np.array([[features.feature]], dtype=np.float32)).numpy()
    return Prediction(prediction=float(answer[0, 0]))


@app.post("/classify")
def classify(picture: Picture) -> Classification:
    """The class of a picture."""
    image = Image.open(io.BytesIO(base64.b64decode(picture.image))).convert("RGB").resize((224, 224))
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    return Classification(predicted_class=int(np.argmax(cnn(pixels[np.newaxis]).numpy())))
