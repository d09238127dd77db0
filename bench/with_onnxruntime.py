"""The exported spec in ONNX Runtime as a contender that predicts: a session for each number of samples."""

from __future__ import annotations

from typing import Any

import onnxruntime

from ..compiler.exchange.onnx import model
from ..compiler.ir.graph import DATA
from ..compiler.ir.rewrite import bind
from ..specification import check
from .job import Arrays, Given, Job


class WithOnnxRuntime:
    """The contender `onnxruntime`."""

    def __init__(self, job: Job, given: Given) -> None:
        weights, states, self.batch = given
        self.job, self.arrays = job, {**weights, **states}
        self.graph = check(job.spec, overrides=job.overrides, sizes=job.sizes).phases.outputs
        self.sessions: dict[int, Any] = {}

    def predict(self, rows: int) -> Arrays:
        if rows not in self.sessions:
            self.sessions[rows] = self._session(rows)
        session, inputs = self.sessions[rows]
        found = session.run(None, inputs)
        return dict(zip((name for name, _ in self.graph.results), found, strict=True))

    def train(self) -> float:
        raise NotImplementedError("ONNX Runtime trains nothing")

    def gradients(self) -> tuple[float, Arrays]:
        raise NotImplementedError("ONNX Runtime trains nothing")

    def _session(self, rows: int) -> tuple[Any, Arrays]:
        file = model(bind(self.graph, {**self.job.sizes, "N": rows}), self.arrays, "contender")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.job.threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return session, {name: self.batch[name][:rows] for name in self.graph.named_inputs(DATA)}


def make(job: Job, given: Given) -> WithOnnxRuntime:
    return WithOnnxRuntime(job, given)
