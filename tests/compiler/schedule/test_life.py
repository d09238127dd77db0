"""How long buffers are needed, where turns of a block run beside each other."""

from __future__ import annotations

import pytest
from axonc.compiler.ir import dims
from axonc.compiler.ir.dims import Size
from axonc.compiler.ir.types import F32
from axonc.compiler.schedule.code import Block, Code, Instruction
from axonc.compiler.schedule.kernel import THREAD, Buffer, Window
from axonc.compiler.schedule.life import Lives


@pytest.mark.parametrize(("offset", "meets"), [(dims.name(THREAD) * 8, True), (0, False)])
def test_what_each_thread_has_takes_no_place_that_a_slower_thread_still_needs(offset: Size, meets: bool) -> None:
    x, z = Window(Buffer("x", F32, 8, "input"), 0, (8,), (1,)), Window(Buffer("z", F32, 8), 0, (8,), (1,))
    first, second = (Window(Buffer(name, F32, 16), offset, (8,), (1,)) for name in ("first", "second"))
    body = (
        Instruction("copy", (first,), (x,)),
        Instruction("copy", (z,), (first,)),
        Instruction("copy", (second,), (x,)),
        Instruction("copy", (z,), (second,)),
    )
    block = Block("s", "length", dims.name("N"), 1, body, independent=True)
    lives = Lives(Code((("x", x),), (("z", z),), ((), (), (block,))))
    (one,), (other,) = lives.of[first.buffer], lives.of[second.buffer]
    assert one.meets(other) is meets


def handed_on(*, reads_late: bool = False, parts: bool = False) -> list[tuple[int, int]]:
    """The lives of a carry that a loop reads at 1 and writes at 3, and that is looked at behind it."""
    x, z, carry, made = (
        Window(Buffer(name, F32, 8, home), 0, (8,), (1,))
        for name, home in (("x", "input"), ("z", "arena"), ("carry", "arena"), ("made", "arena"))
    )
    write = carry._replace(shape=(4,)) if parts else carry
    body = (
        Instruction("map", (z,), (carry,)),
        Instruction("map", (made,), (carry if reads_late else z,)),
        Instruction("copy", (write,), (made._replace(shape=write.shape),)),
    )
    loop = Block("s", "length", 5, 1, body)
    steps = (Instruction("copy", (carry,), (x,)), loop, Instruction("copy", (z,), (carry,)))
    return [(life.start, life.end) for life in Lives(Code((("x", x),), (("z", z),), ((), (), steps))).of[carry.buffer]]


def test_between_its_last_reader_and_its_writer_a_carry_is_not_needed() -> None:
    assert handed_on() == [(0, 1), (3, 4)]
    assert handed_on(reads_late=True) == [(0, 2), (3, 4)]
    assert handed_on(parts=True) == [(0, 4)]
