"""Arrays as NumPy prints them: `python print.py` writes print.json."""

import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(1)
arrays = [
    np.array([1.0, 2.5, -3.0, 0.125], np.float32),
    np.array([[1.0, 2.5], [-3.0, 0.125]], np.float32),
    np.array(1.5, np.float32),
    np.array(7, np.int64),
    np.arange(12, dtype=np.int64).reshape(3, 4) - 5,
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 10,
    np.arange(16, dtype=np.int32).reshape(2, 2, 2, 2),
    np.zeros((0,), np.float32),
    np.zeros((2, 0), np.float32),
    np.zeros((3,), np.float32),
    np.array([np.nan, np.inf, -np.inf, 1.0], np.float32),
    np.array([np.nan, np.nan], np.float64),
    np.array([1e-5, 1.0], np.float32),
    np.array([1e8, 1.0], np.float32),
    np.array([1e8, 123.456], np.float64),
    np.array([1e-200, 1.0, -1e200], np.float64),
    np.array([1.0, 1000.0], np.float32),
    np.array([1.0, 1001.0], np.float32),
    np.array([0.1, 0.2, 0.30000001], np.float64),
    np.array([1 / 3, 2 / 3, 100.0], np.float64),
    np.array([1 / 3, 2 / 3], np.float32),
    np.array([1e-5, np.inf, np.nan], np.float64),
    np.array([0.0, -0.0], np.float32),
    rng.standard_normal((5, 7)).astype(np.float32),
    rng.standard_normal((5, 7)),
    rng.standard_normal((30,)),
    np.arange(100, dtype=np.int64),
    np.arange(1000, dtype=np.int64),
    np.arange(1001, dtype=np.int64),
    np.arange(2000, dtype=np.float32).reshape(40, 50),
    np.arange(2000, dtype=np.int64).reshape(4, 500),
    np.arange(2000, dtype=np.int64).reshape(500, 4),
    np.arange(2000, dtype=np.int64).reshape(2, 500, 2),
    np.arange(8000, dtype=np.int32).reshape(20, 20, 20),
    rng.standard_normal((50, 60)).astype(np.float32) * 1e-7,
    np.arange(1500, dtype=np.int64).reshape(1500, 1),
    np.full((3, 4), 1e30, np.float32),
    np.array([[1e-10, 1.0], [3.25, 4.5]], np.float64),
    np.array([123456789.0, 0.5], np.float64),
    np.array([0.00012345678901], np.float64),
    np.array([99999999.0], np.float64),
]

cases = []
for array in arrays:
    values = [repr(float(x)) if array.dtype.kind == "f" else int(x) for x in array.ravel()]
    cases.append({"dtype": str(array.dtype), "shape": list(array.shape), "values": values, "text": str(array)})
Path(__file__).with_name("print.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
