"""Libraries whose threads do not survive a fork: in a copy they may wait for them forever."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ...context.code.names import names_in
from ...context.describe.foreign import classes_of

__all__ = ["threaded_library"]

_LIBRARIES = {
    "polars": "polars",
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "jax": "JAX",
    "duckdb": "DuckDB",
    "numba": "Numba",
    "sklearn": "scikit-learn",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "catboost": "CatBoost",
    "pyarrow": "pyarrow",
    "datafusion": "DataFusion",
    "onnxruntime": "ONNX Runtime",
    "cv2": "OpenCV",
    "ray": "Ray",
    "dask": "Dask",
    "distributed": "Dask",
    "grpc": "gRPC",
    "faiss": "Faiss",
}


def threaded_library(code: str, namespace: Mapping[str, Any]) -> str:
    """Return the library of this kind that is loaded here and that `code` uses; "" if none is.

    Args:
        code: The code.
        namespace: The variables that it can use.
    """
    names = names_in(code)
    used = {module for module, _ in names.imports.values()}
    for name in names.uses:
        if name in namespace:
            used |= _modules_of(namespace[name])
    tops = {module.partition(".")[0] for module in used}
    return next((n for top, n in _LIBRARIES.items() if top in tops and top in sys.modules), "")


def _modules_of(value: Any) -> set[str]:
    """Return the modules that an object, or its class and those it is made from, come from."""
    if type(value) is type(sys):
        return {str(value.__name__)}
    modules = {type.__getattribute__(cls, "__module__") for cls in classes_of(value)}
    if isinstance(value, type):
        modules.add(type.__getattribute__(value, "__module__"))
    elif type(value).__name__ in ("function", "builtin_function_or_method"):
        modules.add(getattr(value, "__module__", ""))
    return {module for module in modules if isinstance(module, str)}
