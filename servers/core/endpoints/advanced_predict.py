"""`POST /advanced_predict`: the article's third example, a regression on two features behind a schema.

One row is `{"feature1": a, "feature2": b}`, answered `{"prediction": [[y]]}`; a batch is
`{"instances": [[a, b], ...]}`, answered `{"predictions": [[y], ...]}`, or a TensorProto of shape [N, 2].
"""

from __future__ import annotations

from typing import Final

from servers.core.regression import Regression, endpoint
from servers.core.service import Endpoint

REGRESSION: Final = Regression(model="advanced_regression", features=("feature1", "feature2"), opening="[", closing="]")

ENDPOINT: Final[Endpoint] = endpoint(
    "advanced_predict",
    REGRESSION,
    summary="Predict from two features",
    answer="The prediction of a single row is a matrix of one row and one column, as the article writes it",
)
