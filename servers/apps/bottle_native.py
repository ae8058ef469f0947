"""The article's three examples as one Bottle application, with Bottle's own parsing, JSON writer and error pages.

Mended only where the article's code cannot run: the missing import of NumPy, and `np.int64`, which Bottle's JSON writer
refuses. Everything else, faults included, is as a reader would paste it. The SavedModels are loaded from the working
directory, as the article does.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import tensorflow as tf
from bottle import Bottle, request, response
from jsonschema import ValidationError, validate
from PIL import Image

app = Bottle()

linear_regression = tf.saved_model.load("linear_regression_model")
cnn = tf.saved_model.load("cnn_image_classifier")
advanced = tf.saved_model.load("my_model")

input_schema = {
    "type": "object",
    "properties": {"feature1": {"type": "number"}, "feature2": {"type": "number"}},
    "required": ["feature1", "feature2"],
}


@app.route("/predict", method="POST")  # type: ignore[untyped-decorator]
def predict() -> dict[str, Any]:
    """The article's example 1, in Bottle's idiom."""
    try:
        data = request.json
        input_data = np.array([data["feature"]])
        prediction = linear_regression(input_data).numpy()
        return {"prediction": prediction[0][0]}
    except Exception as e:  # noqa: BLE001 - the article's own catch-all
        response.status = 500
        return {"error": str(e)}


@app.route("/classify", method="POST")  # type: ignore[untyped-decorator]
def classify() -> dict[str, Any]:
    """The article's example 2."""
    try:
        data = request.forms.get("image")
        image_bytes = base64.b64decode(data)
        image = Image.open(io.BytesIO(image_bytes)).convert("RGB")
        image = image.resize((224, 224))
        image_array = np.array(image) / 255.0
        prediction = cnn(np.expand_dims(image_array, axis=0))
        return {"predicted_class": int(np.argmax(prediction))}
    except Exception as e:  # noqa: BLE001 - the article's own catch-all
        response.status = 500
        return {"error": str(e)}


@app.route("/advanced_predict", method="POST")  # type: ignore[untyped-decorator]
def advanced_predict() -> dict[str, Any]:
    """The article's example 3, in Bottle's idiom."""
    try:
        data = request.json
        validate(instance=data, schema=input_schema)
        input_array = np.array([[data["feature1"], data["feature2"]]])
        prediction = advanced(input_array).numpy()
        return {"prediction": prediction.tolist()}
    except ValidationError as e:
        response.status = 400
        return {"error": f"Input validation error: {e}"}
    except Exception as e:  # noqa: BLE001 - the article's own catch-all
        response.status = 500
        return {"error": f"Internal server error: {e}"}
