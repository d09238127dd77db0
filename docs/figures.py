"""The figures in `benchmarks/results/` to the tables of `performance.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import exp, log
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
BEGIN, END = "<!-- From benchmarks/results, by docs/generate.py. -->", "<!-- End of what is generated. -->"
# What is asked of the step against the fastest peer.
ASKED = {
    "playground": ("playground MLP 2-8-8-2, batch 30", 10.0),
    "mlp": ("MLP 784-512-256-10, batch 128", 1.2),
    "cnn": ("CNN 1-32-64, 28×28, batch 64", 2.2),
    "resnet20": ("ResNet-20, 32×32×3, batch 32", 1.2),
    "gpt": ("GPT, d 128, 4 layers, T 128, batch 8", 1.4),
    "lstm": ("LSTM, 128 in, 128 hidden, T 64, batch 32", 1.2),
    "unet": ("U-Net 16 to 128 wide, 64×64, batch 8", 1.1),
    "vit": ("ViT, d 128, 4 layers, 65 positions, batch 16", 1.1),
}
CLOCKS = {
    "wall": "Other programs were stopped meanwhile.",
    "processor": "Others used the machine, so these are seconds of a processor, those of compilers included.",
}
SHARES = {"cnn": 0.85, "resnet20": 0.8, "gpt": 0.8}  # of the peak, one thread
NUMPY = {"mlp": 0.95, "cnn": 1.1, "gpt": 0.9}  # NumPy against PyTorch eager
EAGER, TRAINERS = "torch", ("torch", "torch-channels-last", "torch-compile", "jax")


class Measured:
    """One file of figures: a workload on so many threads."""

    def __init__(self, path: Path) -> None:
        found = json.loads(path.read_text(encoding="utf-8"))
        (self.run,) = found["runs"]
        self.machine, self.clock = found["machine"], found["clock"]
        self.rows, self.flops = found["rows"], found["flops"]
        self.of: dict[str, Any] = {c["contender"]: c for c in self.run["contenders"] if not c["left_out"]}

    @property
    def fastest(self) -> Any:
        """The fastest of those who train besides us."""
        return min((self.of[n] for n in TRAINERS if n in self.of), key=lambda c: c["step"]["median"])

    @property
    def share(self) -> Any:
        """How much of what the machine added up in turn with the steps theirs are."""
        return self.of["native"]["share"]


def page(text: str) -> str:
    """The page with the tables between the two marks as the files say now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.split(END)[1]}"


def tables() -> str:
    found = {path.stem: Measured(path) for path in sorted(RESULTS.glob("*.json"))}
    one, two = ({n: found[f"{n}-{threads}"] for n in ASKED if f"{n}-{threads}" in found} for threads in (1, 2))
    parts: list[Iterator[str]] = [_machine(next(iter(one.values())).machine, next(iter(one.values())).clock)]
    parts += [_steps(some, threads) for threads, some in ((1, one), (2, two)) if some]
    parts += [_peak(one, two), _predictions(one, 1)]
    parts += [_predictions(two, 2)] if two else []
    parts += [_memory(one), _numpy(one)]
    return "\n".join(line for part in parts for line in part)


def _machine(m: Mapping[str, Any], clock: str) -> Iterator[str]:
    versions = ", ".join(f"{name} {m[name]}" for name in ("numpy", "torch", "jax", "onnxruntime") if m.get(name))
    kind = f"family {m['family']}, model {m['model']}; {m['vectors'].upper()}"
    yield f"Measured on two cores of an {m['processor']} ({kind}), {m['compiler']}, Python {m['python']}, {versions}."
    yield "Every time is that of a public call of each, with the loss as a number; a ratio is a peer's time over ours,"
    yield f"the median over the rounds with its quartiles. {CLOCKS[clock]}"
    yield ""


def _steps(found: Mapping[str, Measured], threads: int) -> Iterator[str]:
    yield f"### Training steps, {threads} {'thread' if threads == 1 else 'threads'}"
    yield ""
    yield "Milliseconds of forward, backward and Adam; `cl` is channels last."
    yield ""
    names = ("native", *TRAINERS)
    heads = ("native", "PyTorch", "PyTorch cl", "torch.compile", "JAX")
    yield from _head("step", *heads, "fastest peer / native", "asked")
    for name, m in found.items():
        best = m.fastest["against"]
        asked = ASKED[name][1]
        cells = [_ms(m.of[n]["step"]["median"]) if n in m.of else "" for n in names]
        yield _row(ASKED[name][0], *cells, _judged(best["median"], asked, _spread(best)), f"{asked:g}")
    yield ""


def _peak(one: Mapping[str, Measured], two: Mapping[str, Measured]) -> Iterator[str]:
    yield "### Share of the machine, and the second thread"
    yield ""
    most = max(m.run["peak"]["flops"] for m in one.values())
    yield "Operations of a step, a convolution counted as a direct one and causal attention by its half, over those"
    yield "that this machine added up in registers just before and after, in the same round: it shares its cores with"
    yield f"others, and reaches {most / 1e9:.0f} GFLOP/s, its best, at few times only."
    yield ""
    yield "What two threads are faster than one (asked: 1.8) is twice the share of two over that of one: what they gain"
    yield "of what the second core adds. That is at one time a tenth of the first, at another as much as it, since both"
    yield "may be halves of one. Beside it stand the times of the two runs, which were minutes apart."
    yield ""
    yield from _head("step", "operations", "share, one thread", "asked", "share, two", "two threads / one", "by times")
    for name, m in one.items():
        asked, (part, text) = SHARES.get(name), _share(m)
        yield _row(
            ASKED[name][0],
            f"{m.flops / 1e9:.3g} GFLOP",
            text if asked is None else _judged(part, asked, text),
            "" if asked is None else f"{asked:.0%}",
            *(_second(m, two[name]) if name in two else ("", "", "")),
        )
    yield ""


def _share(m: Measured) -> tuple[float, str]:
    share = m.share
    return share["median"], f"{share['median']:.0%} ({share['low']:.0%} to {share['high']:.0%})"


def _second(one: Measured, two: Measured) -> tuple[str, str, str]:
    """The share of two threads, how much faster they are of what the machine is, and by their times."""
    (alone, _), (both, text) = _share(one), _share(two)
    times = one.of["native"]["step"]["median"] / two.of["native"]["step"]["median"]
    return text, _judged(2 * both / alone, 1.8, f"{2 * both / alone:.2f}"), f"{times:.2f}"


def _predictions(found: Mapping[str, Measured], threads: int) -> Iterator[str]:
    yield f"### Predictions against ONNX Runtime, {threads} {'thread' if threads == 1 else 'threads'}"
    yield ""
    yield "Milliseconds for one sample and for the batch; asked: at least 0.95 each, 1.1 for GPT, and 1.0 in the"
    yield "geometric mean."
    yield ""
    yield from _head("model", "native, 1", "ONNX Runtime, 1", "ratio", "native, batch", "ONNX Runtime, batch", "ratio")
    ratios = []
    for name, m in found.items():
        if "onnxruntime" not in m.of:
            continue
        cells = []
        for rows in ("1", str(m.rows)):
            ours, theirs = m.of["native"]["predict"][rows], m.of["onnxruntime"]["predict"][rows]
            against = m.of["onnxruntime"]["predict_against"][rows]
            ratios.append(against["median"])
            asked = 1.1 if name == "gpt" else 0.95
            cells += [_ms(ours["median"]), _ms(theirs["median"]), _judged(against["median"], asked, _spread(against))]
        yield _row(ASKED[name][0], *cells)
    if ratios:
        yield ""
        yield f"Geometric mean of the ratios: {exp(sum(map(log, ratios)) / len(ratios)):.2f}."
    yield ""


def _memory(found: Mapping[str, Measured]) -> Iterator[str]:
    yield "### Memory and first steps, one thread"
    yield ""
    yield "The most memory of a process that trains (asked: a third of PyTorch's), and seconds of the first step: after"
    yield "imports with nothing kept (asked: 3), from what an earlier process kept, less a later step (0.05), and of a"
    yield "whole process that takes one (0.4)."
    yield ""
    heads = ("native", "PyTorch", "share", "nothing kept", "torch.compile", "JAX", "from caches", "whole process")
    yield from _head("step", *heads)
    for name, m in found.items():
        own, eager = m.of["native"], m.of[EAGER]
        share, kept = own["memory"] / eager["memory"], own["kept"] - own["step"]["median"]
        yield _row(
            ASKED[name][0],
            f"{own['memory'] / 1e6:.0f} MB",
            f"{eager['memory'] / 1e6:.0f} MB",
            _judged(-share, -1 / 3, f"{share:.2f}"),
            _judged(-own["first"], -3, f"{own['first']:.2f}"),
            *(f"{m.of[n]['first']:.1f}" if n in m.of else "" for n in ("torch-compile", "jax")),
            _judged(-kept, -0.05, f"{kept:.3f}"),
            _judged(-own["process"], -0.4, f"{own['process']:.2f}"),
        )
    yield ""


def _numpy(found: Mapping[str, Measured]) -> Iterator[str]:
    yield "### The NumPy backend against PyTorch eager, one thread"
    yield ""
    yield from _head("step", "NumPy", "PyTorch", "PyTorch / NumPy", "asked")
    for name, m in found.items():
        if "numpy" not in m.of or EAGER not in m.of:
            continue
        ours, theirs = m.of["numpy"]["step"]["median"], m.of[EAGER]["step"]["median"]
        asked = NUMPY.get(name)
        ratio = f"{theirs / ours:.2f}"
        judged = ratio if asked is None else _judged(theirs / ours, asked, ratio)
        yield _row(ASKED[name][0], _ms(ours), _ms(theirs), judged, "" if asked is None else f"{asked:g}")
    yield ""


def _judged(found: float, asked: float, text: str) -> str:
    """A figure that is less than was asked for is marked."""
    return text if found >= asked else f"**{text}**"


def _spread(s: Mapping[str, float]) -> str:
    return f"{s['median']:.2f} ({s['low']:.2f} to {s['high']:.2f})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}"


def _head(*cells: str) -> Sequence[str]:
    return _row(*cells), "|---" * len(cells) + "|"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
