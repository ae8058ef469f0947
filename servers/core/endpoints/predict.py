"""`POST /predict`: the article's first example, a regression on one feature.

One row is `{"feature": x}`, answered `{"prediction": y}`; a batch is `{"instances": [x, ...]}`, answered
`{"predictions": [y, ...]}`, or a TensorProto of shape [N, 1].
"""

from __future__ import annotations

from typing import Final

from servers.core.regression import Regression, endpoint
from servers.core.service import Endpoint

REGRESSION: Final = Regression(model="linear_regression", features=("feature",))

ENDPOINT: Final[Endpoint] = endpoint(
    "predict",
    REGRESSION,
    summary="Predict from one feature",
    answer="The prediction of a single row is a number",
)
