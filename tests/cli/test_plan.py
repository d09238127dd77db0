"""`axonc plan`: the numbers are right, every view has every step, the page needs nothing and runs nothing foreign."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axonc.cli.plan import compiled
from axonc.cli.plan_text import View, repeats
from axonc.compiler.explain import Explanation, Group, Step, Value, explain
from axonc.spec.source import Frame, Place, Span
from axonc.specification import check

GOLDEN = Path(__file__).parent / "golden"


def plan(axonc, *arguments):
    ended = axonc("plan", *arguments, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def made_by_hand(source):
    """A plan that no compiler wrote: two lines, the second in a repeat of three turns with a loop in each."""

    def place(text, *chain):
        start = source.text.index(text)
        return Place(Span(source, start, start + len(text)), chain)

    def step(number, kind, formula, place, **more):
        value = Value(formula.split(" = ")[0], "f32[N, 8]", 1024, "arena", 64 * number)
        facts = {"reads": (), "kept_for": (), "flops": 0, "loop": (), "turns": 1, "shape": (kind,), **more}
        return Step(number, kind, (formula,), (value,), bytes=2048, place=place, **facts)

    first, turns = (
        place("dense(width)\nrepeat"),
        [place("layer(x) }", Frame(f"repeat {i + 1} of 3", place("depth {").span)) for i in range(3)],
    )
    groups = [
        Group(
            first,
            (step(1, "forward", "a1 = image @ W", first, flops=1234567, kept_for=(9,)),),
            (step(9, "backward", "∂W = imageᵀ @ g8", first, flops=2000),),
        )
    ]
    for i, at in enumerate(turns):
        left = step(2 + i, "forward", f"b{2 + i} = max(a{1 + i}, 0)", at, loop=("t in 0..5",))
        right = step(8 - i, "backward", f"g{8 - i} = where(a{1 + i} > 0, g{7 - i}, 0)", at)
        groups.append(Group(at, (left,), (right,)))
    update = step(10, "update", f"theta' = theta - 0.1 · [{'; '.join(f'∂weight.{i}' for i in range(80))}]", first)
    return Explanation(32, tuple(groups), (update,), (step(5, "once", "size5 = N", first),), 4096, 512, 17)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_screen_of_a_plan(folder, golden, columns):
    specification = check("deep.axon")
    found = made_by_hand(specification.source)
    text = View(specification, "train", found, columns=columns, colour=False, unfolded=False).text()
    golden(GOLDEN / f"plan_{columns}.txt", text)


def test_no_line_is_wider_than_was_asked(axonc, folder):
    specification = check("digits.axon")
    stages = compiled(specification, specification.phases.train, 32)
    found = explain(stages, specification.ranges, rows=32, update=specification.training.place)
    for columns in (50, 80, 120):
        view = View(specification, "train", found, columns=columns, colour=False, unfolded=True)
        assert max(map(len, view.text().splitlines())) <= columns


def test_operations_of_products_are_two_for_each_pair_of_numbers(axonc, folder):
    found = plan(axonc, "digits.axon", "--rows", "7")
    (product,) = [s for s in found["steps"] if "dense.weight" in s["formulas"][0] and s["kind"] == "forward"]
    assert product["flops"] == 2 * 7 * 16 * 10


def test_every_gradient_of_a_weight_stands_beside_a_step_that_reads_a_weight_of_that_layer(axonc, folder):
    for spec, weights in (("digits.axon", 6), ("deep.axon", 16), ("flowers.axon", 4)):
        found = plan(axonc, spec)
        formulas = {s["number"]: "\n".join(s["formulas"]) for s in found["steps"]}
        paired = set()
        for group in found["groups"]:
            forward = "\n".join(formulas[n] for n in group["forward"])
            backward = "\n".join(formulas[n] for n in group["backward"])
            for name in re.findall(r"^∂(\S+) =", backward, re.MULTILINE):
                assert name.rpartition(".")[0] + "." in forward
                paired.add(name)
        assert len(paired) == weights


def test_every_step_has_one_place_in_the_view(axonc, folder):
    found = plan(axonc, "deep.axon")
    grouped = [n for g in found["groups"] for n in (*g["forward"], *g["backward"])]
    others = [s["number"] for s in found["steps"] if s["kind"] in ("update", "once")]
    assert sorted(grouped + others) == [s["number"] for s in found["steps"]]
    assert len(found["steps"]) == sum(t["steps"] for t in found["totals"].values())


def test_what_is_kept_for_the_backward_pass_is_read_there(axonc, folder):
    steps = {s["number"]: s for s in plan(axonc, "digits.axon")["steps"]}
    for step in steps.values():
        for n in step["kept_for"]:
            assert step["number"] in steps[n]["reads"]
            assert steps[n]["kind"] in ("backward", "update")


def test_memory_is_what_training_takes(axonc, folder):
    import axonc as package

    found = plan(axonc, "digits.axon", "--rows", "32")
    program = package.compile("digits.axon")
    import numpy as np

    program.train_step({"image": np.zeros((32, 8, 8), np.float32), "label": np.zeros(32, np.int64)})
    held = sum(a.nbytes for a in program._memory.values())
    (ready,) = program._machines._ready.values()
    assert found["memory"]["named"] == held
    assert found["memory"]["arena"] == ready.machine.plan.arena


def test_places_name_lines_of_the_spec(axonc, folder):
    lines = (folder / "deep.axon").read_text().splitlines()
    for group in plan(axonc, "deep.axon")["groups"]:
        assert group["text"] == lines[group["line"] - 1].strip()


def test_repeated_turns_are_folded_unless_all_is_asked_for(axonc, folder):
    folded, unfolded = axonc("plan", "deep.axon").out, axonc("plan", "deep.axon", "--all").out
    assert "more turns like" in folded
    assert "more turns like" not in unfolded
    for turn in range(6):
        assert f"layer.{turn}.dense.weight" in unfolded
    assert len(folded.splitlines()) < len(unfolded.splitlines()) * 0.7


@pytest.mark.parametrize(
    ("keys", "runs"),
    [
        ("", []),
        ("abc", [(0, 1, 1), (1, 1, 1), (2, 1, 1)]),
        ("aaa", [(0, 1, 3)]),
        ("xababab", [(0, 1, 1), (1, 2, 3)]),
        ("abcabcd", [(0, 3, 2), (6, 1, 1)]),
        ("aabaab", [(0, 1, 2), (2, 1, 1), (3, 1, 2), (5, 1, 1)]),
    ],
)
def test_runs_cover_a_sequence_by_what_repeats_at_once(keys, runs):
    assert list(repeats(keys)) == runs


@pytest.mark.parametrize("stage", ["spec", "graph", "gradient", "schedule", "plan", "c"])
def test_each_stage_is_shown_as_text_and_as_json(axonc, folder, stage):
    text = axonc("plan", "digits.axon", "--stage", stage)
    assert text.code == 0
    assert len(text.out.splitlines()) > 10
    assert json.loads(axonc("plan", "digits.axon", "--stage", stage, "--format", "json").out)


def test_the_graph_that_is_shown_can_be_read_again(axonc, folder):
    from axonc.compiler.ir.text import read

    phases = check("digits.axon").phases
    assert read(axonc("plan", "digits.axon", "--stage", "graph").out) == phases.forward
    assert read(axonc("plan", "digits.axon", "--stage", "gradient").out) == phases.gradients


def test_a_spec_without_a_loss_shows_its_prediction(axonc, folder):
    text = "axonc 1\nmodel m\n\ninput x: f32[N, 4]\n\ny = x |> dense(3)\n"
    (folder / "m.axon").write_text(text)
    ended = axonc("plan", "m.axon")
    assert ended.code == 0
    assert "one prediction" in ended.out
    assert "backward" not in ended.out


def test_a_free_size_asks_for_a_number(axonc, folder):
    (folder / "m.axon").write_text("axonc 1\nmodel m\n\ninput x: f32[N, T, 4]\n\ny = x |> dense(3)\n")
    ended = axonc("plan", "m.axon")
    assert ended.code == 2
    assert "--size T=16" in ended.err
    assert axonc("plan", "m.axon", "--size", "T=5").code == 0


class Page(HTMLParser):
    """What a page refers to, what it runs, and which elements have which ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts = 0
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links += [found[name] for name in ("href", "src") if name in found]
        self.scripts += tag == "script"
        self.ids += [found["id"]] if "id" in found else []
        if tag not in ("meta", "rect", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag == "rect":
            return
        assert self.open.pop() == tag


@pytest.fixture
def hostile(folder):
    """A spec whose comments and file name try to become part of the page."""
    text = (folder / "digits.axon").read_text()
    text = text.replace("loss cross", "# </code></section><script>alert(1)</script>\nloss cross", 1)
    text = text.replace("dense(10)\n", "dense(10)  # <img src=x onerror=alert(2)> \"'&\n")
    (folder / "<b>digits.axon").write_text(text)
    return "<b>digits.axon"


def test_the_page_is_closed_and_loads_and_runs_nothing_foreign(axonc, hostile):
    ended = axonc("plan", hostile, "--format", "html")
    assert ended.code == 0
    page = Page(ended.out)
    assert page.open == []
    assert page.scripts == 1
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "<img" not in ended.out
    assert "<b>digits" not in ended.out
    assert "url(" not in ended.out


def test_the_page_has_every_step_and_every_line_of_the_spec(axonc, folder):
    page = Page(axonc("plan", "deep.axon", "--format", "html").out)
    steps = plan(axonc, "deep.axon")["steps"]
    assert {f"s{s['number']}" for s in steps} <= set(page.ids)
    lines = len((folder / "deep.axon").read_text().splitlines())
    assert {f"L0-{n}" for n in range(1, lines + 1)} <= set(page.ids)


def test_output_goes_to_a_file_that_is_replaced_whole(axonc, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert axonc("plan", "digits.axon", "--output", "plan.txt") == (0, "", "")
    assert (folder / "plan.txt").read_text() == axonc("plan", "digits.axon").out
    ended = axonc("plan", "digits.axon", "--output", "no/such/folder.txt")
    assert ended.code == 3
    assert "folder.txt" in ended.err


def test_the_c_of_a_plan_names_the_lines_of_the_spec_and_nothing_that_ends_a_comment(axonc, folder):
    text = axonc("plan", "digits.axon", "--stage", "c").out
    assert "digits.axon:" in text
    assert "int ax_phase(struct ax_run *run, int phase)" in text
    comments = re.findall(r"/\*.*?\*/", text, re.S)
    assert comments
    assert all("*/" not in comment[2:-2] for comment in comments)


def test_the_cuda_of_a_plan_ends_with_the_products_of_cublas(axonc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("wide.axon").write_text("axonc 1\nmodel wide\ninput x: f32[N, 96]\noutput y = x |> dense(40)\n")
    text = axonc("plan", "wide.axon", "--stage", "cuda", "--rows", "32").out
    assert "__global__" in text
    matrices = r"gemm f32 \[40, 96\] @ \[96, N\]: b\d+ ld 40 = b\d+ ld 40 @ b\d+ ld 96"
    assert re.search(rf"/\* x @ dense\.weight, wide\.axon:4:\d+ \*/\n{matrices}\n", text)
