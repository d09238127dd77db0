"""Error of the series example's forecasts from later and later origins, beside forecasts that learn nothing.

python benchmarks/series_origins.py                    # five origins, two years apart, three seeds each

At each origin the network is trained on the months before it, and foretells each run of twelve months within the 24
that follow; what it is shown may reach back before the origin.
"""

from __future__ import annotations

import argparse
import csv
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import numpy as np
from folds import spread, trained
from numpy.lib.stride_tricks import sliding_window_view

SPEC = Path(__file__).parent.parent / "examples" / "series" / "lstm.axon"
PAST, AHEAD, STEP = 36, 12, 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--origins", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    with (SPEC.parent / "co2.csv").open(encoding="utf-8") as file:
        ppm = np.array([float(row["ppm"]) for row in csv.DictReader(file)], np.float32)
    errors: dict[str, list[np.ndarray]] = {}
    for origin in range(len(ppm) - options.origins * STEP, len(ppm), STEP):
        samples = sliding_window_view(ppm[origin - PAST : origin + STEP], PAST + AHEAD)
        seen, truth = samples[:, :PAST], samples[:, PAST:]
        forecasts = simple(seen)
        forecasts["LSTM"] = np.stack([network(ppm, origin, seen, seed) for seed in range(options.seeds)])
        for name, forecast in forecasts.items():
            errors.setdefault(name, []).append(forecast - truth)
    for name, found in errors.items():
        mae = [float(np.abs(e).mean()) for e in found]
        rmse = [float(np.sqrt(np.square(e).mean())) for e in found]
        print(f"{name}: MAE {spread(mae, 2)}, RMSE {spread(rmse, 2)} ppm")


def network(ppm: np.ndarray, origin: int, seen: np.ndarray, seed: int) -> np.ndarray:
    """The forecasts of the LSTM for what is seen, trained on the months before `origin`."""
    program, _ = trained(SPEC, {"ppm": ppm[:origin]}, {"ppm": ppm[origin - PAST : origin + STEP]}, seed=seed)
    return program.predict({"seen": np.ascontiguousarray(seen)})["ppm"]


def simple(seen: np.ndarray) -> dict[str, np.ndarray]:
    """Forecasts by rule: the latest month, the same months a year ago, and those with the last year's growth."""
    year = seen[:, -12:]
    growth = year.mean(1, keepdims=True) - seen[:, -24:-12].mean(1, keepdims=True)
    return {
        "persistence": np.repeat(seen[:, -1:], AHEAD, axis=1),
        "seasonal naive": year,
        "seasonal naive with growth": year + growth,
    }


if __name__ == "__main__":
    main()
