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
