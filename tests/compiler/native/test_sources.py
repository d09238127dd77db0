"""Functions are compiled in texts that take about as long, those that call the same copies together."""

from __future__ import annotations

from axonc.compiler.native.sharing import Shared
from axonc.compiler.native.sources import KERNEL, KERNELS, UNIT, sources
from axonc.compiler.schedule.target import Machinery

MACHINERY = Machinery(8, 16, 32 << 10, 1 << 20)


def function(number: int, length: int, line: str = "") -> Shared:
    """A function of about so many characters."""
    text = f"void @(long n{number}) {{\n{line}{'n = 0;'.ljust(length)}}}\n"
    return Shared(text, {f"kernel{number}": ()})


def kernels_of(functions: list[Shared]) -> list[str]:
    texts = sources(functions, {name: name for f in functions for name in f.given}, MACHINERY)
    return [text.split(KERNELS)[1] for text in texts]


def test_every_function_stands_in_one_text() -> None:
    functions = [function(i, 3000) for i in range(40)]
    together = "".join(kernels_of(functions))
    assert [together.count(f"{f.name}(") for f in functions] == [1] * 40


def test_short_functions_count_for_more_than_their_characters() -> None:
    texts = kernels_of([function(i, 100) for i in range(60)])
    assert len(texts) >= 60 * KERNEL // UNIT > 1


def test_texts_that_take_longest_come_first() -> None:
    sizes = [len(text) for text in kernels_of([function(0, 9000), function(1, 9000), function(2, 40000)])]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 2


def test_functions_that_call_the_same_copies_share_a_text() -> None:
    line = "f32_turned(to, 8, from, 8, 8, 8);"
    functions = [function(i, 3000, line if i % 10 == 0 else "") for i in range(40)]
    assert sum(line in text for text in kernels_of(functions)) == 1
