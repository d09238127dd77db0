"""A mistake deep inside blocks and repeats, as a person sees it, written out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from axonc.spec.load import read
from axonc.spec.render import render
from axonc.spec.source import CompileError, Source
from axonc.specification import check_model

from .specs import diagnostics

VIT = """axonc: 1
name: vit
constants: {d: 768, mlp_dim: 3072}
inputs: {x: "f32[N, T, 768]"}
blocks:
  encoder:
    inputs: [x]
    layers:
      - residual:
          - layer_norm
          - dense: mlp_dim
          - gelu
layers:
  - repeat: {i: 12}
    layers:
      - encoder
"""
SCREEN = """error[shape-mismatch]: the output of `dense` and the input of `residual` have different widths
  --> vit.yaml:11:13
   |
11 |           - dense: mlp_dim
   |             ^^^^^ gives f32[N, T, 3072]
   = in: block `encoder` (vit.yaml:16), repeat i = 0 of 12 (vit.yaml:14)
   = residual adds f32[N, T, 768] and f32[N, T, 3072]: the last dimension differs
   = help: end the branch with `dense(768)`"""


def test_a_mistake_in_a_branch_shows_its_word_both_shapes_the_way_there_and_what_to_write() -> None:
    try:
        check_model(read(Source("vit.yaml", VIT)), Path.cwd())
        found = ()
    except CompileError as error:
        found = error.diagnostics
    assert [render(d).rstrip("\n") for d in found] == [SCREEN]


@pytest.mark.parametrize(
    ("line", "title", "label"),
    [
        ("x |> self_attention(4)", "`self_attention` needs width % heads == 0", "width = 30, heads = 4"),
        ("x[:, 0] |> lstm(4)", "`lstm` needs len(shape(x)) == 3", "x is f32[N, 30]"),
        ("x |> group_norm(7)", "`group_norm` needs last(x) % groups == 0", "x is f32[N, 6, 30], groups = 7"),
    ],
)
def test_what_a_word_of_the_library_needs_is_said_with_what_it_was_given(line: str, title: str, label: str) -> None:
    (found,) = diagnostics(f"y = {line}", "input x: f32[N, 6, 30]\n")
    assert (found.render_title(), found.render_label()) == (title, label)


def test_an_assertion_says_what_its_names_stand_for() -> None:
    (found,) = diagnostics("d = last(x)\nassert d % 7 == 0\ny = x", "input x: f32[N, 30]\n")
    assert (found.render_label(), found.render_notes()) == ("2 == 0 is false", ("d = 30",))
