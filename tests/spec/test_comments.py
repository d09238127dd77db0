"""Comments go with what they belong to, through formatting and conversion."""

from __future__ import annotations

import pytest
from axonc.spec.load import read
from axonc.spec.source import Source
from axonc.spec.write import convert, format_source

AXON = """# the file
axonc 1
model m(  # its constants
  # how wide
  d = 64,  # wide
  e = 3
)

# what comes in
input x: f32[N, d]  # one sample

block f(x) {  # a block
  # first
  y = x |> relu  # second

  # third
  if training {  # fourth
    y = y |> dropout(0.5)
    # fifth
  }
  y
  # sixth
}

# seventh
z = x
  # eighth
  |> f
  |> dense(e)  # ninth

# tenth
loss mean(z)

train {  # eleventh
  # twelfth
  epochs 3  # thirteenth
  # fourteenth
}

# the end
"""


def words(text: str) -> list[str]:
    return sorted(line.partition("# ")[2] for line in text.splitlines() if "# " in line)


def test_every_comment_survives_formatting() -> None:
    formatted = format_source(Source("m.axon", AXON))
    assert words(formatted) == words(AXON)
    assert format_source(Source("m.axon", formatted)) == formatted


def test_every_comment_survives_the_way_to_yaml_and_back() -> None:
    there = convert(Source("m.axon", AXON), "yaml")
    assert words(there) == words(AXON)
    back = convert(Source("m.yaml", there), "axon")
    assert back == format_source(Source("m.axon", AXON))


def test_a_comment_belongs_to_what_follows_or_shares_its_line() -> None:
    model = read(Source("m.axon", AXON))
    assert model.comments.before == ("the file",)
    assert model.comments.below == ("the end",)
    assert model.constants[0].comments.before == ("how wide",)
    assert model.constants[0].comments.after == "wide"
    assert model.inputs[0].comments.before == ("what comes in",)
    assert model.inputs[0].comments.after == "one sample"
    block = model.blocks[0]
    assert block.comments.after == "a block"
    assert block.body[0].comments.before == ("first",)
    assert block.body[0].comments.after == "second"
    assert block.body[1].comments.gap
    assert block.body[-1].comments.below == ("sixth",)
    assert model.body[0].comments.before == ("seventh", "eighth")
    assert model.body[0].comments.after == "ninth"


YAML = """# the file
axonc: 1
name: m
constants:
  # how wide
  d: 64  # wide
inputs:
  x: "f32[N, d]"  # one sample
layers:  # the network
  # first
  - dense: d  # second

  - relu
    # not: a key
  # third
  - repeat: 2  # fourth
    layers:
      - dense: "d # no comment"
      # fifth
  - expression: |  # sixth
      x + 1
    as: y  # seventh
loss: {mean: y}  # eighth
train:
  epochs: 3  # ninth
# the end
"""


def test_every_comment_of_a_yaml_document_survives() -> None:
    text = YAML.replace("d # no comment", "d")
    formatted = format_source(Source("m.yaml", text))
    assert words(formatted) == words(text)
    assert format_source(Source("m.yaml", formatted)) == formatted
    assert words(convert(Source("m.yaml", text), "axon")) == words(text)


@pytest.mark.parametrize("text", ['"a # b"', "'a # b'", "f('#')", '"#"'])
def test_a_sharp_inside_a_text_begins_no_comment(text: str) -> None:
    model = read(Source("m.axon", f"x = f({text if text[0] != 'f' else 'g'})\n"))
    assert model.body[0].comments.before == ()
    document = read(Source("m.yaml", 'groups: {"a # b": {l2: 1}}\n'))
    assert document.comments.below == ()
    assert document.groups[0].pattern.value == "a # b"


@pytest.mark.parametrize("line", ["#", "##", "# a", "#!x", "#   deep", "# # twice"])
def test_the_text_of_a_comment_is_kept(line: str) -> None:
    once = format_source(Source("m.axon", f"{line}\nx = 1\n"))
    assert format_source(Source("m.axon", once)) == once
    assert once.splitlines()[0].lstrip("# ") == line.lstrip("# ")
