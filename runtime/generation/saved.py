"""What writes, to the texts of a model file and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..codec import from_json, to_json
from ..errors import InputError
from ..machine import Machine, check_array
from ..operands import need
from ..plan import COUNT, Affine, Plan
from ..verifier import have_inputs, verified
from .request import Request, Settings, texts
from .stepper import SCORES, Stepper
from .vocabulary import Vocabulary
from .writing import Written

FACTS, BEGIN, STEP = "generate", "generate.begin", "generate.step"


def written_down(plans: Mapping[str, Any], settings: Settings, inputs: Mapping[str, Any]) -> dict[str, str]:
    """The texts that a file keeps: what a Stepper takes, but plans, and the dtype and shape of each other input."""
    facts = {name: value for name, value in plans.items() if name not in ("begin", "step")}
    facts |= {"settings": asdict(settings), "inputs": inputs}
    return {FACTS: json.dumps(facts), BEGIN: to_json(plans["begin"]), STEP: to_json(plans["step"])}


class SavedWriter:
    """What a model file says of writing, made into machines when it is first asked for."""

    def __init__(self, kept: Mapping[str, str], memory: Mapping[str, np.ndarray]) -> None:
        facts = json.loads(kept[FACTS])
        self._settings = Settings(**facts.pop("settings"))
        self._inputs: dict[str, tuple[str, list[int]]] = facts.pop("inputs")
        self.grown: str = facts["grown"]
        self.seed: int = facts["seed"]
        shared = dict(memory)
        begin, step = (Machine(verified(from_json(kept[name])), shared) for name in (BEGIN, STEP))
        _check(facts, self._settings, self._inputs, begin.plan, step.plan)
        for name, outer in facts["moving"].items():
            need(shared[name].size % (outer * facts["rows"]) == 0, "rows of each kept value", name)
        self._stepper = Stepper(begin, step, shared, **facts)

    def texts(self, request: Request, words: Vocabulary | None) -> list[Written]:
        """The texts that are asked for. Raises InputError."""
        return texts(request, self._settings, words, self._checked)

    def _checked(self, inputs: Mapping[str, np.ndarray], rows: int, limit: int) -> Stepper:
        """The stepper, after everything that can be wrong with the inputs was looked for."""
        if limit > self._stepper.limit:
            problem = f"the limit is {limit}, and this file was made for texts of at most {self._stepper.limit} tokens"
            raise InputError("too-long", problem, "use the folder of the training, which serves any limit")
        unknown = next((name for name in inputs if name not in self._inputs), None)
        if unknown is not None:
            raise InputError("unknown-input", f"writing needs no input `{unknown}`")
        for name, (dtype, shape) in self._inputs.items():
            if name not in inputs:
                raise InputError("missing-input", f"input `{name}` is missing", f"it is {dtype}{shape} for each sample")
            check_array(name, inputs[name], dtype, tuple(shape))
        return self._stepper


def _check(facts: Mapping[str, Any], settings: Settings, inputs: Mapping[str, Any], begin: Plan, step: Plan) -> None:
    """Refuses what the plans do not have, and what is no setting. Raises BadPlan."""
    samples = Affine(0, ((COUNT, 1),))
    for name in ("rows", "limit"):
        need(type(facts[name]) is int and facts[name] > 0, f"{name} as a whole number", facts[name])
    need(facts["rows"] <= min(begin.rows, step.rows), "no more rows than the plans have", facts["rows"])
    need(type(facts["seed"]) is int, "a seed", facts["seed"])
    need(all(type(outer) is int and outer > 0 for outer in facts["moving"].values()), "stretches", facts["moving"])
    for name, value in asdict(settings).items():
        kinds = (int, str) if name in ("start", "stop") else (int, float)
        holds = value is None or (type(value) in kinds and (type(value) is not int or abs(value) < 1 << 31))
        need(holds, f"a number for {name}", value)
    have_inputs(begin, {name: (dtype, tuple(shape)) for name, (dtype, shape) in inputs.items()})
    shapes = {port.name: port.view.shape for port in (*step.inputs, *step.results)}
    need(shapes[facts["grown"]] == (samples, 1), "an input that grows", facts["grown"])
    scores = shapes[SCORES]
    need(len(scores) == 2 and scores[0] == samples, "scores of each entry", scores)
    for plan in (begin, step):
        have_inputs(plan, {})
