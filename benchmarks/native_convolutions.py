"""Times compiled convolutions: GFLOP/s on one core, share of the peak of that core, and what PyTorch reaches.

The work of sums of products is counted, so that Winograd's fewer products come out above the peak.

It is the processor's time that counts, since cores may be shared. PyTorch, where it is installed, is measured with
its own layout and with channels last. Run with OMP_NUM_THREADS=1:
`python benchmarks/native_convolutions.py [part of a name ...] [--only forward|input|weight]`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from axonc.backends import backend
from axonc.compiler.ir.types import F32, Tensor
from axonc.compiler.native import winograd, winograd_weight
from axonc.compiler.native.convolution import Conv, ConvInput, input_frame
from axonc.compiler.native.convolution_weight import ConvWeight
from axonc.compiler.native.function import Function, Machinery
from axonc.compiler.schedule.kernel import Window, fresh
from native_products import CHAINS, array, build, measured, peak, timed_text, timer

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

CALL = "c, a, b, 0, units"


class Case(NamedTuple):
    """A square convolution: channels in and out, the length of a side, images, kernel, stride, groups."""

    channels: int
    results: int
    side: int
    images: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1

    @property
    def name(self) -> str:
        k, s, g = self.kernel, self.stride, self.groups
        groups = f" g{g}" if g > 1 else ""
        return f"{k}x{k} {self.channels}->{self.results} @{self.side} s{s}{groups} b{self.images}"

    @property
    def settings(self) -> tuple[tuple[int, int], tuple[tuple[int, int], ...], tuple[int, int], int]:
        pad = self.kernel // 2
        return (self.stride,) * 2, ((pad, pad),) * 2, (1, 1), self.groups

    @property
    def found(self) -> int:
        return (self.side + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def flops(self) -> int:
        taps = self.kernel**2 * self.channels // self.groups
        return 2 * self.images * self.found**2 * taps * self.results

    def kernels(self, m: Machinery) -> Iterator[tuple[str, object, Window, tuple[Window, Window]]]:
        """Each of the kernels with its name, its result and what it reads; F4 are by Winograd's products."""
        pad = self.kernel // 2
        own, _, gaps, groups = self.settings
        n = self.images
        x = square("x", n, self.side + 2 * pad, self.channels)
        y = square("y", n, self.found, self.results)
        w = fresh("w", Tensor(F32, (self.kernel, self.kernel, self.channels // groups, self.results)))
        low, high = input_frame((self.side,) * 2, (self.found,) * 2, (self.kernel,) * 2, own, gaps, (pad, pad))
        wide = fresh("y", Tensor(F32, (n, *(self.found + a + b for a, b in zip(low, high, strict=True)), self.results)))
        turned = fresh("w", Tensor(F32, (self.kernel, self.kernel, self.results // groups, self.channels)))
        yield "forward", Conv(own, gaps, groups, m), y, (x, w)
        if self.channels > 3:
            flow = square("x", n, self.side, self.channels)
            yield "input", ConvInput(own, gaps, groups, (pad, pad), low, m), flow, (wide, turned)
        yield "weight", ConvWeight(own, gaps, groups, m, accumulate=True), w, (x, y)
        if self.stride == groups == 1 and winograd.pays(y, w, m):
            tiles = winograd.tiles_of(self.found)
            x = square("x", n, 4 * tiles + 2, self.channels)
            spread = fresh("u", winograd.weights_type(self.channels, self.results, m))
            yield "forward F4", winograd.Winograd(m), y, (x, spread)
            if winograd_weight.pays(y, w, m):
                y = square("y", n, 4 * tiles, self.results)
                yield "weight F4", winograd_weight.WinogradWeight(m, accumulate=True), w, (x, y)


def square(name: str, images: int, side: int, channels: int) -> Window:
    return fresh(name, Tensor(F32, (images, side, side, channels)))


CASES = [
    Case(1, 32, 28, 64),
    Case(32, 64, 14, 64),
    Case(3, 16, 32, 32),
    Case(16, 16, 32, 32),
    Case(32, 32, 16, 32),
    Case(64, 64, 8, 32),
    Case(16, 32, 32, 32, stride=2),
    Case(32, 64, 16, 32, stride=2),
    Case(16, 32, 32, 32, kernel=1, stride=2),
    Case(32, 64, 16, 32, kernel=1, stride=2),
    Case(64, 64, 16, 32, kernel=1),
    Case(64, 64, 56, 1),
    Case(1, 32, 28, 1),
    Case(32, 64, 14, 1),
    Case(16, 16, 32, 1),
    Case(32, 32, 16, 1),
    Case(64, 64, 8, 1),
    Case(128, 128, 7, 1),
    Case(8, 8, 28, 16),
    Case(24, 40, 14, 16),
    Case(20, 50, 12, 16, kernel=5),
    Case(3, 64, 64, 4, kernel=7, stride=2),
    Case(64, 64, 14, 16, groups=4),
    Case(64, 64, 28, 8, groups=64),
    Case(64, 64, 28, 8, stride=2, groups=64),
    Case(96, 96, 14, 8, kernel=5, groups=96),
]


def torch_timers(case: Case, what: str) -> list[Callable[[], float]]:
    """PyTorch's own convolution of NCHW and of channels-last data."""
    if torch is None:
        return []
    torch.set_num_threads(1)
    return [torch_timer(case, what, layout) for layout in (torch.contiguous_format, torch.channels_last)]


def torch_timer(case: Case, what: str, layout: object) -> Callable[[], float]:
    """The seconds of one of PyTorch's three kernels."""
    stride, sides, dilation, groups = case.settings
    x = torch.randn(case.images, case.channels, case.side, case.side).to(memory_format=layout)
    w = torch.randn(case.results, case.channels // groups, case.kernel, case.kernel).to(memory_format=layout)
    y = torch.randn(case.images, case.results, case.found, case.found).to(memory_format=layout)
    padding = [low for low, _ in sides]
    mask = [what == "input", what.startswith("weight"), False]

    def forward() -> None:
        torch.conv2d(x, w, None, stride, padding, dilation, groups)

    def back() -> None:
        torch.ops.aten.convolution_backward(y, x, w, None, stride, padding, dilation, False, [0, 0], groups, mask)

    call = forward if what.startswith("forward") else back

    def run(turns: int) -> float:
        before = time.thread_time()
        for _ in range(turns):
            call()
        return time.thread_time() - before

    with torch.no_grad():
        return measured(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[""])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    machinery = backend("native").target.machinery
    cases = [c for c in CASES if any(part in c.name for part in options.names)]
    print("convolution                               compile ms       us  GFLOP/s  of peak    torch   last")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            for what, *kernel in case.kernels(machinery):
                if options.only in what:
                    report(case, what, kernel, machinery, options.rounds, folder)


def report(case: Case, what: str, kernel: list, machinery: Machinery, rounds: int, folder: str) -> None:
    """One line: the best of some rounds, in which ours, PyTorch's and the peak are measured in turn."""
    form, out, reads = kernel
    f, top = Function(), peak(machinery.lanes)
    form.print(f, (out,), reads)
    library, empty = build([timed_text(top, "c")], machinery.lanes, folder)
    peak_of = timer(library, top, [np.full(1, 0.5, np.float32)])
    library, seconds = build([timed_text(f, CALL)], machinery.lanes, folder)
    memory = {w: array(w) for w in (out, *reads)}
    timers = [timer(library, f, [memory[w][0] for w in f.windows]), peak_of, *torch_timers(case, what)]
    rows = [[run() for run in timers] for _ in range(rounds)]
    best, limit, *others = map(min, zip(*rows, strict=True))
    speed, most = case.flops / best / 1e9, 2e5 * CHAINS * machinery.lanes / limit / 1e9
    theirs = "".join(f"{case.flops / t / 1e9:9.0f}" for t in others)
    compiled = f"{(seconds - empty) * 1e3:12.0f}{best * 1e6:9.1f}"
    print(f"{case.name:28s}{what:12s}{compiled}{speed:9.0f}{speed / most:8.0%}{theirs}", flush=True)


if __name__ == "__main__":
    main()
