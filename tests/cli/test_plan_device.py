"""`axonc plan --device`: every view says that it predicts, for what, and what it assumes."""

import json

import pytest
from axonc.compiler.devices import DEVICES
from axonc.compiler.prediction import ASSUMPTIONS, OCCUPANCY, UNKNOWN
from axonc.runtime.cupy import nvrtc

ASSUMED = (*ASSUMPTIONS, OCCUPANCY if nvrtc.found() else UNKNOWN)


def test_the_text_says_that_nothing_was_measured_and_what_is_assumed(axonc, folder):
    ended = axonc("plan", "deep.axon", "--device", "a100")
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert "prediction for A100 SXM4 80 GB: calculated, not measured" in text
    assert all(" ".join(a.split()) in text for a in ASSUMED)
    assert DEVICES["a100"].source in text
    assert "samples fit" in text


def test_the_view_without_it_stays_as_it_was(axonc, folder):
    plain, more = (axonc("plan", "deep.axon", *given).out for given in ((), ("--device", "t4")))
    assert more.startswith(plain)
    assert "prediction" not in plain


def test_json_has_every_kernel_and_its_sum(axonc, folder):
    found = json.loads(axonc("plan", "deep.axon", "--format", "json", "--device", "h100").out)["prediction"]
    assert found["measured"] is False
    assert found["seconds"] == pytest.approx(sum(k["seconds"] for k in found["kernels"]))
    assert found["assumptions"] == list(ASSUMED)
    assert any(k["warps"] for k in found["kernels"]) is bool(nvrtc.found())
    assert found["device"]["title"] == DEVICES["h100"].title


def test_the_page_has_a_section_for_it(axonc, folder):
    page = axonc("plan", "deep.axon", "--format", "html", "--device", "l4").out
    assert "prediction for L4: calculated, not measured" in page
    assert page.count("<tr>") > 10


def test_no_line_is_wider_than_was_asked(axonc, folder):
    assert max(map(len, axonc("plan", "deep.axon", "--device", "t4").out.splitlines())) <= 120


def test_a_stage_has_no_device(axonc, folder):
    ended = axonc("plan", "deep.axon", "--device", "t4", "--stage", "graph")
    assert ended.code != 0
    assert "--device" in ended.err


def test_an_unknown_device_is_refused_with_those_that_there_are(axonc, folder):
    ended = axonc("plan", "deep.axon", "--device", "h1000")
    assert ended.code != 0
    assert all(name in ended.err for name in DEVICES)


def test_without_nvrtc_the_view_says_that_nobody_knows_the_warps(axonc, folder, monkeypatch):
    monkeypatch.setattr(nvrtc, "found", lambda: None)
    found = json.loads(axonc("plan", "deep.axon", "--format", "json", "--device", "a100").out)["prediction"]
    assert found["assumptions"][-1] == UNKNOWN
    assert not any(k["warps"] for k in found["kernels"])
