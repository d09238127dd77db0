"""The running value of YAML: each list of items beside the statements that it stands for."""

from __future__ import annotations

import pytest
from axonc.spec.load import parse, read
from axonc.spec.source import Source
from axonc.spec.tree import Model
from axonc.spec.write import write

HEAD = 'inputs: {image: "f32[N, 8]", other: "f32[N, 8]"}\nlayers:\n'
PAIRS = {
    "the first layer takes the first input": ("- relu\n- {dense: 3, as: y}", "y = image |> relu |> dense(3)"),
    "a chain that ends without a name is x": ("- relu", "x = image |> relu"),
    "from begins anew": ("- relu\n- {dense: 3, from: other}", "x = image |> relu\nx = other |> dense(3)"),
    "a name is taken by what follows": (
        "- {relu: , as: h}\n- {dense: 3, as: y}",
        "h = image |> relu\ny = h |> dense(3)",
    ),
    "from alone is a value": ("- {from: other, as: y}", "y = other"),
    "several inputs": ("- {attention: 8, from: [image, other], as: y}", "y = [image, other] |> attention(8)"),
    "an expression begins a chain": ('- expression: "image + other"\n- {relu: , as: y}', "y = image + other |> relu"),
    "several results": ('- {expression: "f(image)", as: [a, b]}', "a, b = f(image)"),
    "repeat goes on with x": (
        "- flatten\n- {repeat: 3, layers: [{dense: 64}, relu]}",
        "x = image |> flatten\nrepeat 3 { x = x |> dense(64) |> relu }",
    ),
    "a body that begins with another name gets x": (
        "- {flatten: , as: h}\n- {repeat: 3, layers: [relu]}",
        "h = image |> flatten\nx = h\nrepeat 3 { x = x |> relu }",
    ),
    "a body that begins with the input gets x": (
        "- {repeat: 3, layers: [relu]}",
        "x = image\nrepeat 3 { x = x |> relu }",
    ),
    "a body that names its start gets none": (
        "- {repeat: 3, layers: [{relu: , from: other, as: other}]}",
        "repeat 3 { other = other |> relu }",
    ),
    "a nested body gets x outside": (
        "- {repeat: 2, layers: [{repeat: 3, layers: [relu]}]}",
        "x = image\nrepeat 2 { repeat 3 { x = x |> relu } }",
    ),
    "either branch may begin with x": (
        '- {if: "a == 1", then: [{from: other, as: y}], else: [relu]}',
        "x = image\nif a == 1 { y = other }\nelse { x = x |> relu }",
    ),
    "what follows a body takes x": (
        "- flatten\n- {repeat: 3, layers: [relu]}\n- {dense: 3, as: y}",
        "x = image |> flatten\nrepeat 3 { x = x |> relu }\ny = x |> dense(3)",
    ),
    "weights do not break a chain": (
        '- flatten\n- weights: {W: "f32[3]"}\n- {dense: 3, as: y}',
        "weight W: f32[3]\ny = image |> flatten |> dense(3)",
    ),
    "a scan begins with what it runs over": (
        "- {scan: {t: image}, with: {h: other}, reverse: true, layers: [relu], as: s}\n- {dense: 3, as: y}",
        "s = scan(reverse = true) t in image with h = other { t |> relu }\ny = s |> dense(3)",
    ),
    "a scan without a name is x": (
        "- flatten\n- {scan: {t: x}, layers: [relu]}\n- relu",
        "x = image |> flatten\nx = scan t in x { t |> relu }\nx = x |> relu",
    ),
    "residual holds layers": (
        "- {residual: [layer_norm, {dense: [3, {bias: false}]}], as: y}",
        "y = image |> residual(layer_norm |> dense(3, bias = false))",
    ),
    "arguments": (
        "- f: a\n- f: [a, b]\n- f: {k: c}\n- f: [a, {k: c}]\n- f: [[a, b]]\n- f: []\n- {f: , as: y}",
        "y = image |> f(a) |> f(a, b) |> f(k = c) |> f(a, k = c) |> f([a, b]) |> f() |> f",
    ),
}


def body(model: Model) -> object:
    return model.body


@pytest.mark.parametrize(("items", "statements"), PAIRS.values(), ids=PAIRS)
def test_items_stand_for_statements(items: str, statements: str) -> None:
    indented = "".join(f"  {line}\n" for line in items.split("\n"))
    document = read(Source("m.yaml", HEAD + indented))
    text = read(Source("m.axon", f"input image: f32[N, 8]\ninput other: f32[N, 8]\n{statements}\n"))
    assert document == text, write(document, "axon")
    assert read(Source("again.yaml", write(text, "yaml"))) == text


BLOCKS = {
    "[relu]": "x |> relu",
    '[{expression: "x, x"}]': "x, x",
    "[{repeat: 2, layers: [relu]}]": "repeat 2 { x = x |> relu }\nx",
    '[{if: "a == 1", then: [relu]}]': "if a == 1 { x = x |> relu }\nx",
    "[relu, {assert: {a: == 1}}]": "assert a == 1\nx |> relu",
    "[{from: x}]": "x",
    "[{scan: {t: x}, layers: [relu]}]": "scan t in x { t |> relu }",
}


@pytest.mark.parametrize(("layers", "statements"), BLOCKS.items(), ids=BLOCKS)
def test_an_unnamed_value_at_the_end_of_a_block_is_its_result(layers: str, statements: str) -> None:
    document = read(Source("m.yaml", f"blocks: {{f: {{inputs: [x], layers: {layers}}}}}\n"))
    text = read(Source("m.axon", f"block f(x) {{\n{statements}\n}}\n"))
    assert document == text, write(document, "axon")
    assert read(Source("again.yaml", write(text, "yaml"))) == text


def test_a_missing_input_is_told_once() -> None:
    _, mistakes = parse(Source("m.yaml", "layers:\n- dense: 3\n- relu\n- {repeat: 2, layers: [relu]}\n- relu\n"))
    assert [(mistake.code, mistake.place.span.line) for mistake in mistakes] == [("no-running-value", 2)]


def test_what_yaml_cannot_say_as_items_it_says_as_expressions() -> None:
    text = "input image: f32[N, 8]\ny = image |> f.g(3) |> (a if b else c) |> from(3)\n"
    _, mistakes = parse(Source("m.axon", text.replace("from", "h")))
    assert mistakes == []
    document = write(read(Source("m.axon", text)), "yaml")
    assert "expression:" in document
    assert read(Source("m.yaml", document)) == read(Source("m.axon", text))
