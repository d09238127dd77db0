"""The `train` section as plain data: what is done at each step, and what the training loop needs to know."""

from __future__ import annotations

from dataclasses import field

from ...spec import tree
from ...spec.record import Record
from ...spec.source import Place
from ...spec.suggest import nearest
from ..ir.types import BF16, F16, F32, DType
from ..settings import Reader
from ..trace import errors
from ..trace.model import Traced
from ..trace.scope import Scope
from ..trace.tracer import Tracer
from .descent import Sgd
from .optimizer import Optimizer
from .optimizers import OPTIMIZERS
from .schedules import SCHEDULES, Constant, Schedule


class Training(Record):
    """How a model is trained. `clip_norm` and `clip_value` of 0 leave gradients alone; `steps` of 0 counts epochs;
    `patience` of 0 never stops early. `average` is the share of the old average of the weights that a step keeps, 1 for
    the mean of all steps, 0 for none; evaluate and predict use the average. `place` is where the spec chooses the
    optimizer, or where it begins. With a `precision` of f16 or bf16 the losses and gradients are computed so where that
    is well; weights and what is remembered of them stay f32. With `tf32` they are f32,
    and a device may round what it multiplies."""

    optimizer: Optimizer = Sgd(0.01)
    schedule: Schedule = Constant()
    warmup: int = 0
    epochs: int = 10
    steps: int = 0
    clip_norm: float = 0.0
    clip_value: float = 0.0
    average: float = 0.0
    precision: DType = F32
    tf32: bool = False
    monitor: str = "loss"
    patience: int = 0
    seed: int = 0
    place: Place | None = field(default=None, compare=False)


def training(model: tree.Model, t: Tracer, scope: Scope) -> Training:
    """The settings of the model, or their defaults; mistakes are reported to the tracer."""
    if model.train is None:
        return Training(place=Place((model.name or model).span))
    reader = Reader(t, scope, model.train.settings)
    optimizer = reader.expression("optimizer")
    precision, tf32 = _precision(reader)
    clip, stop = reader.inner("clip"), reader.inner("stop")
    epochs, steps = reader.expression("epochs"), reader.expression("steps")
    if epochs is not None and steps is not None:
        t.wrong(errors.BothLengths, steps.span, related=(("epochs are given here", epochs.span),))
    return Training(
        optimizer=reader.choice("optimizer", OPTIMIZERS) or Training.optimizer,
        schedule=reader.choice("schedule", SCHEDULES) or Training.schedule,
        warmup=reader.whole("warmup", 0),
        epochs=reader.whole("epochs", 10, least=1),
        steps=reader.whole("steps", 0, least=1) if steps is not None else 0,
        clip_norm=clip.number("norm", 0.0, least=0.0) if clip else 0.0,
        clip_value=clip.number("value", 0.0, least=0.0) if clip else 0.0,
        average=_average(reader),
        monitor=stop.word("monitor", "loss") if stop else "loss",
        patience=stop.whole("patience", 0, least=1) if stop else 0,
        precision=precision,
        tf32=tf32,
        seed=reader.whole("seed", 0),
        place=Place((optimizer or model.train).span),
    )


def _precision(reader: Reader) -> tuple[DType, bool]:
    """`precision f16` or `precision bf16`, and whether it is `tf32`; f32 is the same as nothing."""
    e, known = reader.expression("precision"), {d.value: d for d in (F32, F16, BF16)} | {"tf32": F32}
    word = reader.word("precision", "f32")
    if e is not None and word not in known:
        choice = {"what": "precision", "name": word, "known": ", ".join(known), "suggestion": nearest(word, known)}
        reader.t.wrong(errors.UnknownChoice, e.span, **choice)
    return known.get(word, F32), word == "tf32"


def _average(reader: Reader) -> float:
    """`average 0.999`, or `average mean`."""
    match reader.expression("average"):
        case tree.Name(text="mean"):
            return 1.0
        case _:
            return reader.number("average", 0.0, least=0.0, most=1.0)


def check_training(model: tree.Model, traced: Traced, t: Tracer) -> None:
    """Reports a `train` section that has nothing to train, and a `stop` that watches what there is not."""
    if model.train is None:
        return
    if not traced.losses:
        t.wrong(errors.NoLoss, model.train.span)
    stop = Reader(t, traced.scope, model.train.settings).inner("stop")
    monitor = stop.expression("monitor") if stop else None
    names = ["loss", *(term.name for term in traced.losses), *(m.name.text for m in model.metrics if m.name)]
    names += [
        m.value.function.text
        for m in model.metrics
        if isinstance(m.value, tree.Call) and isinstance(m.value.function, tree.Name)
    ]
    if stop and monitor is not None and (chosen := stop.word("monitor", "loss")) not in names:
        t.wrong(
            errors.UnknownChoice,
            monitor.span,
            what="loss or metric",
            name=chosen,
            known=", ".join(names),
            suggestion=nearest(chosen, names),
        )
