"""How long whole processes take: `axonc check`, and loading and running a saved model, beside `import numpy`.

    python benchmarks/startup.py [SPEC...]

The commands take turns, so that a busy machine is busy for all of them; medians of RUNS turns are printed. Modules
are compiled beforehand, as those of an installed package are.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import axonc

RUNS = 15
MODEL = """axonc 1
model digits
input image: f32[N, 8, 8]
logits = image |> flatten |> dense(128, activation = relu) |> dense(10)
"""
LOAD = """
import axonc.runtime
from axonc.runtime.model import load
import numpy
load({path!r})({{"image": numpy.zeros((1, 8, 8), numpy.float32)}})
"""
BLOCK = """
block part{i}(x) {{
  h = x |> dense(64) |> layer_norm |> gelu
  x + (h |> dense(64) |> dropout(0.1))
}}
"""


def spec_of_sixty_lines() -> str:
    """A spec of the usual length: blocks, a repeat, a loss, a metric, how to train."""
    blocks = "".join(BLOCK.format(i=i) for i in range(8))
    uses = "\n".join(f"x = part{i}(x)" for i in range(8))
    return f"""axonc 1
model sixty(depth = 4)

input image: f32[N, 8, 8]
input label: i64[N]
{blocks}
x = image |> flatten
repeat depth {{ x = part0(x) }}
{uses}
logits = x |> dense(10)

loss cross_entropy(logits, label)
metric accuracy(logits, label)
train {{ optimizer adam(1e-3); epochs 10 }}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "sixty.axon"
        spec.write_text(spec_of_sixty_lines())
        lines = len(spec.read_text().splitlines())
        model = Path(folder) / "model.safetensors"
        axonc.compile(MODEL).save(model)
        commands = {
            "bare interpreter": ["-c", "pass"],
            "import numpy": ["-c", "import numpy"],
            "load and run a saved model": ["-c", LOAD.format(path=str(model))],
            f"axonc check, {lines} lines": ["-m", "axonc", "check", str(spec)],
        }
        commands |= {f"axonc check {given}": ["-m", "axonc", "check", given] for given in sys.argv[1:]}
        found = measured(commands, Path(folder) / "compiled")
        for name, times in found.items():
            print(f"{1000 * statistics.median(times):7.0f} ms  (best {1000 * min(times):.0f})  {name}")
        ratios = [a / b for a, b in zip(found["load and run a saved model"], found["import numpy"], strict=True)]
        print(f"load and run / import numpy: {statistics.median(ratios):.2f}")


def measured(commands: dict[str, list[str]], compiled: Path) -> dict[str, list[float]]:
    """Seconds of each command, in turns; `compiled` keeps the modules' code, which the first turn makes."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(RUNS + 1):
        for name, arguments in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
