"""Area under the precision-recall curve of the imbalance example over stratified folds, beside other classifiers.

python benchmarks/imbalance_folds.py                   # five folds, four ways to weigh, needs scikit-learn
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from pathlib import Path

import numpy as np
from folds import Columns, others, prepared, rows, spread, stratified, trained
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SPEC = Path(__file__).parent.parent / "examples" / "imbalance" / "satellite.axon"
WAYS = {
    "as it is": {},
    "importance 5": {"importance": 5.0},
    "gamma 2": {"gamma": 2.0},
    "importance 5, gamma 2": {"importance": 5.0, "gamma": 2.0},
}
OTHERS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    "logistic regression, balanced": make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced")
    ),
    "random forest, 300 trees": RandomForestClassifier(300, random_state=0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    with np.load(SPEC.parent / "satellite.npz") as file:
        samples = dict(file)
    label = samples["damp_grey_soil"]
    folds = [(rows(samples, others(f, len(label))), rows(samples, f)) for f in stratified(label, options.folds)]
    print(f"{len(label)} samples, a share of {label.mean():.3f} positive")
    for name, model in OTHERS.items():
        print(f"{name}: {spread([other(model, *fold) for fold in folds])}", flush=True)
    for name, overrides in WAYS.items():
        start = time.perf_counter()
        measured = [network(*fold, overrides) for fold in folds]
        seconds = (time.perf_counter() - start) / len(folds)
        means = {metric: np.mean([found[metric] for found in measured]) for metric in ("precision", "recall")}
        at_half = ", ".join(f"{metric} {value:.2f}" for metric, value in means.items())
        print(f"{name}: {spread([found['pr_auc'] for found in measured])}; at one half {at_half}; {seconds:.1f} s each")


def network(train: Columns, test: Columns, overrides: dict[str, float]) -> dict[str, float]:
    """The metrics on the test samples of the network, trained on the others."""
    program, metrics = trained(SPEC, train, test, overrides=overrides)
    score = program.predict({"patch": prepared(program, "test")["patch"]})["damp_grey_soil"]
    found = average_precision_score(test["damp_grey_soil"], score)
    assert abs(found - metrics["pr_auc"]) < 1e-3, "the metric of the spec is not that of scikit-learn"
    return metrics


def other(model: ClassifierMixin, train: Columns, test: Columns) -> float:
    """Average precision of a model of scikit-learn."""
    model.fit(train["pixels"].reshape(-1, 36), train["damp_grey_soil"])
    score = model.predict_proba(test["pixels"].reshape(-1, 36))[:, 1]
    return float(average_precision_score(test["damp_grey_soil"], score))


if __name__ == "__main__":
    main()
