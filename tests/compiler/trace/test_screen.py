"""A mistake deep inside blocks and repeats, as a person sees it, written out by hand."""

from __future__ import annotations

from pathlib import Path

from axonc.spec.load import read
from axonc.spec.render import render
from axonc.spec.source import CompileError, Source
from axonc.specification import check_model

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
