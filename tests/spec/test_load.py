"""Files, their includes, and what must not be included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from axonc.spec.load import guess_notation, load, parse_override, read
from axonc.spec.source import CompileError, Diagnostic, Source
from axonc.spec.write_expression import flat

BLOCKS = "axonc 1\nmodel blocks(width = 3)\nblock f(x) { x |> relu }\n"


def mistakes(path: Path, **options: bool) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        load(path, **options)
    return caught.value.diagnostics


def codes(path: Path, **options: bool) -> list[str]:
    return [mistake.code for mistake in mistakes(path, **options)]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_an_include_brings_blocks_and_constants_before_ones_own(tmp_path: Path) -> None:
    write(tmp_path / "blocks.axon", BLOCKS + "output p = 3\ntrain { epochs 3 }\n")
    main = write(tmp_path / "main.axon", 'model m(d = 4)\ninclude "blocks.axon"\nblock g(x) { x }\n')
    model = load(main)
    assert [node.name.text for node in model.constants] == ["width", "d"]
    assert [node.name.text for node in model.blocks] == ["f", "g"]
    assert model.outputs == ()
    assert model.train is None
    assert model.blocks[0].span.source.name.endswith("blocks.axon")


def test_notations_include_each_other(tmp_path: Path) -> None:
    write(tmp_path / "blocks.yaml", "blocks: {f: {inputs: [x], layers: [relu]}}\n")
    write(tmp_path / "more" / "more.axon", 'include "../blocks.yaml"\nblock g(x) { x }\n')
    main = write(tmp_path / "main.yaml", "include: [more/more.axon]\n")
    assert [node.name.text for node in load(main).blocks] == ["f", "g"]


def test_a_file_reached_on_two_ways_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "a.axon", "block f(x) { x }\n")
    write(tmp_path / "b.axon", 'include "a.axon"\n')
    main = write(tmp_path / "main.axon", 'include "a.axon"\ninclude "b.axon"\n')
    assert len(load(main).blocks) == 1


def test_mistakes_of_all_files_are_reported_with_their_way(tmp_path: Path) -> None:
    write(tmp_path / "a.axon", 'include "b.axon"\nx = 2d\n')
    write(tmp_path / "b.axon", "y = 3d\n")
    main = write(tmp_path / "main.axon", 'include "a.axon"\nz = 4d\n')
    found = {mistake.place.span.text: mistake.place.frames for mistake in mistakes(main)}
    assert set(found) == {"2d", "3d", "4d"}
    assert [frame.what for frame in found["3d"]] == ["include `b.axon`", "include `a.axon`"]
    assert found["4d"] == ()


def test_a_name_of_two_files_is_a_mistake_with_both_places(tmp_path: Path) -> None:
    write(tmp_path / "a.axon", "block f(x) { x }\n")
    main = write(tmp_path / "main.axon", 'include "a.axon"\nmodel m(f = 3)\nblock f(x) { x }\n')
    found = mistakes(main)
    assert {mistake.code for mistake in found} == {"duplicate-name"}
    assert any(span.source.name.endswith("a.axon") for mistake in found for _, span in mistake.related)


@pytest.mark.parametrize("path", ["a.axon", "./a.axon", "sub/../a.axon"])
def test_a_cycle_is_a_mistake(tmp_path: Path, path: str) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "b.axon", f'include "{path}"\n')
    assert codes(write(tmp_path / "a.axon", 'include "b.axon"\n')) == ["include-cycle"]


def test_includes_nest_to_a_bounded_depth(tmp_path: Path) -> None:
    for i in range(20):
        write(tmp_path / f"{i}.axon", f'include "{i + 1}.axon"\n')
    assert codes(tmp_path / "0.axon") == ["include-too-deep"]


@pytest.fixture
def prison(tmp_path: Path) -> Path:
    """A folder with files and links round it that lead out."""
    write(tmp_path / "secret.axon", BLOCKS)
    folder = tmp_path / "prison"
    write(folder / "inside" / "inside.axon", BLOCKS)
    (folder / "link.axon").symlink_to(tmp_path / "secret.axon")
    (folder / "inner.axon").symlink_to(folder / "inside" / "inside.axon")
    (folder / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.axon")
    (folder / "null.axon").symlink_to("/dev/zero")
    return folder


ESCAPES = {
    "../secret.axon": "include-outside",
    "inside/../../secret.axon": "include-outside",
    "./../secret.axon": "include-outside",
    "/etc/passwd": "include-outside",
    "//etc/passwd": "include-outside",
    "C:\\secret.axon": "include-outside",
    "\\\\host\\secret.axon": "include-outside",
    "link.axon": "include-outside",
    "folder/secret.axon": "include-outside",
    "null.axon": "include-outside",
    "": "include-outside",
    " ": "include-outside",
    "..": "include-outside",
    "pipe.axon": "unreadable-file",
    "inside": "unreadable-file",
    ".": "unreadable-file",
    "inside/inside.axon/x": "unreadable-file",
    "nowhere.axon": "unreadable-file",
    "#/../secret.axon": "unreadable-file",
    "%2e%2e/secret.axon": "unreadable-file",
    "~/secret.axon": "unreadable-file",
    "a" * 5000: "unreadable-file",
}


@pytest.mark.parametrize(("path", "code"), ESCAPES.items(), ids=lambda text: text[:20])
def test_no_include_leaves_the_folder_of_the_spec(prison: Path, path: str, code: str) -> None:
    assert codes(write(prison / "main.axon", f'include "{path}"\n')) == [code]


def test_an_included_file_cannot_leave_the_folder_either(prison: Path) -> None:
    write(prison / "inside" / "a.axon", 'include "../inner.axon"\ninclude "../../secret.axon"\n')
    assert codes(write(prison / "main.axon", 'include "inside/a.axon"\n')) == ["include-outside"]


def test_a_link_that_stays_inside_is_followed(prison: Path) -> None:
    assert len(load(write(prison / "main.axon", 'include "inner.axon"\n')).blocks) == 1


def test_the_command_line_may_allow_files_outside(prison: Path) -> None:
    main = write(prison / "main.axon", 'include "../secret.axon"\n')
    assert len(load(main, allowed=[prison.parent]).blocks) == 1
    write(prison / "main.axon", 'include "null.axon"\n')
    assert codes(main, allowed=[prison.parent]) == ["include-outside"]
    assert codes(main, allowed=["/"]) == ["unreadable-file"]
    write(prison / "main.axon", f'include "{prison.parent / "secret.axon"}"\n')
    assert len(load(main, allowed=[prison.parent]).blocks) == 1
    assert codes(main, allowed=[prison / "inside"]) == ["include-outside"]


def test_a_null_byte_in_a_path_is_a_mistake(tmp_path: Path) -> None:
    assert codes(write(tmp_path / "m.axon", 'include "a\0b"\n')) == ["unprintable-character"]


def test_files_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    assert codes(tmp_path / "nowhere.axon") == ["unreadable-file"]
    assert codes(tmp_path) == ["unreadable-file"]
    assert codes(write(tmp_path / "large.axon", "#" * (1 << 20) + "\n")) == ["unreadable-file"]
    (tmp_path / "latin.axon").write_bytes(b"x = 1\n# caf\xe9\n")
    assert codes(tmp_path / "latin.axon") == ["not-utf8"]


def test_a_byte_order_mark_is_no_character_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "m.axon").write_bytes(b"\xef\xbb\xbfmodel m\n")
    model = load(tmp_path / "m.axon")
    assert model.name
    assert model.name.span.column == 7


def test_line_ends_of_windows_are_line_ends(tmp_path: Path) -> None:
    (tmp_path / "m.axon").write_bytes(b"model m # c\r\ny = f(\r\n 2)\r\n  |> g\r\n")
    model = load(tmp_path / "m.axon")
    assert model.comments.after == "c"
    assert len(model.body) == 1


@pytest.mark.parametrize(
    ("name", "text", "notation"),
    [
        ("m.axon", "a: 1", "axon"), ("m.yml", "model m", "yaml"), ("m.json", "{}", "yaml"), ("-", "model m\n", "axon"),
        ("-", "# c\n\nname: m\n", "yaml"), ("-", "{name: m}", "yaml"), ("-", "input x: f32\n", "axon"),
        ("-", '"name": m\n', "yaml"), ("-", "axonc 1\n", "axon"), ("-", "axonc: 1\n", "yaml"), ("-", "", "axon"),
    ],
)  # fmt: skip
def test_the_notation_is_that_of_the_suffix_or_of_the_first_line(name: str, text: str, notation: str) -> None:
    assert guess_notation(Source(name, text)) == notation


def test_an_override_is_a_name_and_an_expression() -> None:
    name, value = parse_override("hidden = 2 * 32")
    assert name.text == "hidden"
    assert flat(value) == "2 * 32"
    assert value.span.source.name == "--set"
    assert value.span.column == 10


@pytest.mark.parametrize("text", ["", "x", "x=", "=3", "x=3 4", "x=if", "x=3; y=4", "x=(", "3=4", "x=" + "(" * 1000])
def test_an_override_that_is_none_is_a_mistake_in_the_argument(text: str) -> None:
    with pytest.raises(CompileError) as caught:
        parse_override(text)
    assert caught.value.diagnostics[0].place.span.source.name == "--set"


def test_reserved_words_name_values_in_the_standard_library_only() -> None:
    source = Source("dense.axon", "block dense(x; units) {\n  weight weight: f32[last(x), units]\n  x @ weight\n}\n")
    assert read(source, library=True).blocks
    with pytest.raises(CompileError):
        read(source)
