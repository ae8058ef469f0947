"""The article's three examples as one Flask application, with Flask's own parsing, JSON writer and error pages.

Mended only where the article's code cannot run: `np.float64` and `np.int64` become Python numbers where Flask's JSON
writer refuses them, and the three examples share a file. Everything else, faults included, is as a reader would paste
it. The SavedModels are loaded from the working directory, as the article does.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import tensorflow as tf
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from jsonschema import ValidationError, validate
from PIL import Image

app = Flask(__name__)

linear_regression = tf.saved_model.load("linear_regression_model")
cnn = tf.saved_model.load("cnn_image_classifier")
advanced = tf.saved_model.load("my_model")

input_schema = {
    "type": "object",
    "properties": {"feature1": {"type": "number"}, "feature2": {"type": "number"}},
    "required": ["feature1", "feature2"],
}


@app.route("/predict", methods=["POST"])
def predict() -> ResponseReturnValue:
    """The article's example 1."""
    try:
        data = request.get_json()
        input_data = np.array([data["feature"]])
        prediction = linear_regression(input_data).numpy()
        return jsonify({"prediction": prediction[0][0]})
    except Exception as e:  # noqa: BLE001 - the article's own catch-all
        return jsonify({"error": str(e)}), 500


@app.route("/classify", methods=["POST"])
def classify() -> ResponseReturnValue:
    """The article's example 2, in Flask's idiom."""
    try:
        image_bytes = base64.b64decode(request.form["image"])
        image = Image.open(io.BytesIO(image_bytes)).convert("RGB")
        image = image.resize((224, 224))
        image_array = np.array(image) / 255.0
        prediction = cnn(np.expand_dims(image_array, axis=0))
        return jsonify({"predicted_class": int(np.argmax(prediction))})
    except Exception as e:  # noqa: BLE001 - the article's own catch-all
        return jsonify({"error": str(e)}), 500


@app.route("/advanced_predict", methods=["POST"])
def advanced_predict() -> ResponseReturnValue:
    """The article's example 3."""
    try:
        data = request.get_json()
        validate(instance=data, schema=input_schema)
        input_array = np.array([[data["feature1"], data["feature2"]]])
        prediction = advanced(input_array).numpy()
        return jsonify({"prediction": prediction.tolist()})
    except ValidationError as e:
        return jsonify({"error": f"Input validation error: {e}"}), 400
    except Exception as e:  # noqa: BLE001 - the article's own catch-all
        return jsonify({"error": f"Internal server error: {e}"}), 500
