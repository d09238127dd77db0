"""How long it takes from a spec to the NumPy plan of its training step, for the zoo and for models twice as deep.

    python benchmarks/compile_time.py [NAME...]

Processor time, the least of RUNS turns, without starting Python and importing. `check` reads, traces and
differentiates; `compile` makes the plan. The last rows hold a network of dense layers, a chain of concatenations
and GPT-2 at one depth against the same at twice the depth.
"""

import gc
import sys
import time
from pathlib import Path

from axonc.compiler.pipeline import compile_graph
from axonc.specification import check

RUNS = 3
ROWS = 32
SIZES = {"S": 7, "T": 6, "H": 32, "W": 32}
ZOO = Path(__file__).parent.parent / "examples" / "zoo"
DEEP = """axonc 1
model deep(depth = 1)
input x: f32[N, 64]
input label: i64[N]
repeat depth {{ {body} }}
loss cross_entropy(x |> dense(10), label)
train {{ optimizer adam(1e-3) }}
"""
GPT = "\n".join(line for line in (ZOO / "gpt2.axon").read_text().splitlines() if not line.startswith("assert")) + "\n"
DOUBLED = {
    "dense layers": (DEEP.format(body="x = x |> dense(64) |> relu"), (100, 200, 400)),
    "concatenations": (DEEP.format(body="x = concat(x, x |> dense(8) |> relu)"), (50, 100, 200)),
    "gpt2": (GPT, (12, 24, 48)),
}


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in ZOO.glob("*.axon"))
    measured(ZOO / "mlp.axon", {})  # reads the library
    print("| model | nodes | instructions | check | compile | together |\n|---|---|---|---|---|---|")
    for name in names:
        nodes, steps, checked, compiled = measured(ZOO / f"{name}.axon", {})
        print(f"| {name} | {nodes:,} | {steps:,} | {checked:.2f} s | {compiled:.2f} s | {checked + compiled:.2f} s |")
    if not sys.argv[1:]:
        print("\n| depth | time | times the one before |\n|---|---|---|")
        for name, (text, depths) in DOUBLED.items():
            before = 0.0
            for depth in depths:
                total = sum(measured(text, {"depth": depth})[2:])
                print(f"| {name}, {depth} | {total:.2f} s | {f'{total / before:.2f}' if before else ''} |")
                before = total


def measured(spec: str | Path, overrides: dict[str, int]) -> tuple[int, int, float, float]:
    """Nodes of the training graph, instructions of its plan, and the seconds of checking and of compiling."""
    return min((once(spec, overrides) for _ in range(RUNS)), key=lambda found: found[2] + found[3])


def once(spec: str | Path, overrides: dict[str, int]) -> tuple[int, int, float, float]:
    gc.collect()
    start = time.process_time()
    graph = check(spec, overrides=overrides).phases.train
    between = time.process_time()
    plan = compile_graph(graph, rows=ROWS, sizes=SIZES)
    end = time.process_time()
    return len(graph.nodes), sum(1 for _ in plan.walk()), between - start, end - between


if __name__ == "__main__":
    main()
