"""What a spec calls its own things never changes what a word of the language means."""

from __future__ import annotations

from axonc.compiler.ir.graph import Builder
from axonc.compiler.trace.branches import check_unused_blocks
from axonc.compiler.trace.library import library_block, library_names
from axonc.compiler.trace.tracer import Tracer
from axonc.spec.source import Place, Source, Span
from axonc.specification import check

SPEC = """
model hidden({constants})
input x: f32[N, 8, 4]
{blocks}
y = x |> self_attention(2) |> gru(3) |> softplus
loss mean(y)
"""


def test_constants_and_blocks_of_a_spec_are_unknown_inside_the_words_it_uses() -> None:
    plain = check(SPEC.format(constants="", blocks="").replace("()", ""))
    blocks = "block split(x; n) { [x, x, x] }\nblock heads_apart(x; heads) { split(x, heads)[0] }"
    named = check(
        SPEC.format(constants="size = 8, log = 3, max = 2, dense = 1, q = 5", blocks=blocks + "\nz = heads_apart(x, 2)")
    )
    assert {n: p.type for n, p in named.parameters.items()} == {n: p.type for n, p in plain.parameters.items()}
    assert str(named.phases.predict.results) == str(plain.phases.predict.results)


def test_every_name_in_the_library_is_known() -> None:
    """Branches of the library that are not taken are not looked at where a spec is checked."""
    words = {name: word for name in library_names() if (word := library_block(name))}
    t = Tracer("predict", Builder(Place(Span(Source("library", ""), 0, 0))), {}, words)
    check_unused_blocks(t, set())
    assert words
    assert not t.b.reports
