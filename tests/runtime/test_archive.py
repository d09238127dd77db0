"""Archives against the safetensors library, against mutation, and against a disk that fails."""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from axonc.runtime import archive
from axonc.runtime.errors import FileError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

safetensors = pytest.importorskip("safetensors")
safetensors_numpy = pytest.importorskip("safetensors.numpy")

STORABLE = [np.dtype(dtype) for dtype in archive.DTYPES.values()]


def sample() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    arrays = {str(dtype): (rng.random((3, 5)) * 100).astype(dtype) for dtype in STORABLE}
    return {
        **arrays,
        "scalar": np.float32(2.5).reshape(()),
        "empty": np.zeros((0, 4), np.int64),
        "transposed": rng.random((4, 6)).astype(np.float32).T,
        "große/Übung 例": np.arange(7, dtype=np.uint8),
        "big-endian": np.arange(5, dtype=">i4"),
    }


def assert_same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype.newbyteorder("=")
        assert left[name].shape == right[name].shape
        np.testing.assert_array_equal(left[name], right[name])


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        archive.read(path)
    return str(caught.value)


def test_what_is_written_is_read_again_in_the_same_order(tmp_path: Path) -> None:
    arrays, metadata = sample(), {"spec": 'line\n"two"', "größe": "7"}
    archive.write(tmp_path / "a.safetensors", arrays, metadata)
    again, texts = archive.read(tmp_path / "a.safetensors")
    assert_same(again, arrays)
    assert list(again) == list(arrays)
    assert texts == metadata


def test_nothing_at_all_can_be_written_and_read(tmp_path: Path) -> None:
    archive.write(tmp_path / "a", {}, {})
    assert archive.read(tmp_path / "a") == ({}, {})
    assert safetensors_numpy.load_file(tmp_path / "a") == {}


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    arrays = sample()
    archive.write(tmp_path / "a.safetensors", arrays, {"spec": "text"})
    assert_same(safetensors_numpy.load_file(tmp_path / "a.safetensors"), arrays)
    with safetensors.safe_open(tmp_path / "a.safetensors", "np") as file:
        assert file.metadata()["spec"] == "text"


def test_we_read_what_the_library_writes(tmp_path: Path) -> None:
    arrays = {
        name: np.ascontiguousarray(array).astype(array.dtype.newbyteorder("=")) for name, array in sample().items()
    }
    arrays["scalar"] = arrays["scalar"].reshape(())
    safetensors_numpy.save_file(arrays, tmp_path / "a", {"framework": "np"})
    again, metadata = archive.read(tmp_path / "a")
    assert_same(again, arrays)
    assert metadata == {"framework": "np"}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",)), max_size=8).filter(lambda name: name != "__metadata__"),
        st.sampled_from(STORABLE).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0))),
        max_size=4,
    )
)
def test_any_arrays_survive_us_and_the_library(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    archive.write(path, arrays, {})
    for again in (archive.read(path)[0], safetensors_numpy.load_file(path)):
        assert again.keys() == arrays.keys()
        for name, array in arrays.items():
            assert again[name].dtype == array.dtype
            assert again[name].shape == array.shape
            assert again[name].tobytes() == array.tobytes()


def test_arrays_that_are_read_may_be_written_to_and_are_aligned(tmp_path: Path) -> None:
    archive.write(tmp_path / "a", {"odd": np.ones(3, np.uint8), "wide": np.ones(2)}, {})
    for array in archive.read(tmp_path / "a")[0].values():
        array += 1
        assert array.flags.aligned


def test_an_unaligned_array_of_another_writer_is_copied_into_place(tmp_path: Path) -> None:
    header = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "b": {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]},
    }
    (tmp_path / "a").write_bytes(raw(header, b"\7" + np.array([1.5, -2], "<f4").tobytes()))
    arrays, _ = archive.read(tmp_path / "a")
    assert arrays["b"].flags.aligned
    np.testing.assert_array_equal(arrays["b"], [1.5, -2])


def test_bfloat16_is_read_as_the_same_numbers_in_f32(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    value = torch.tensor([[1.0, -3.140625], [float("inf"), 1e-30]], dtype=torch.bfloat16)
    save_file({"w": value}, tmp_path / "a")
    again = archive.read(tmp_path / "a")[0]["w"]
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, value.float().numpy())


ENTRY = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short: it has 0 bytes"),
        (b"\0\0\0", "cut short"),
        ((2**63).to_bytes(8, "little") + b"{}", "cut short"),
        (raw(b""), "no JSON object"),
        (raw(b"[]"), "no JSON object"),
        (raw(b"{"), "no JSON object"),
        (raw(b" {}"), "no JSON object"),
        (raw(b'{"\xff":1}'), "no JSON object"),
        (raw(b'{"a":' * 100_000), "no JSON object"),
        (raw(b'{"a":' + b"9" * 5000 + b"}"), "no JSON object"),
        (raw({"__metadata__": {"a": 1}}), "not a table of texts"),
        (raw({"__metadata__": []}), "not a table of texts"),
        (raw({"a": 1}), "`a` whose entry is not dtype"),
        (raw({"a": {**ENTRY, "more": 1}}, b"ab"), "`a` whose entry is not dtype"),
        (raw({"a": {**ENTRY, "dtype": "F8_E4M3"}}, b"ab"), "`a` of type `F8_E4M3`, expected one of BOOL"),
        (raw({"a": {**ENTRY, "dtype": []}}, b"ab"), "`a` of type `[]`"),
        (raw({"a": {**ENTRY, "shape": [-2]}}, b"ab"), "lists of whole numbers"),
        (raw({"a": {**ENTRY, "shape": [2.0]}}, b"ab"), "lists of whole numbers"),
        (raw({"a": {**ENTRY, "shape": [True]}}, b"ab"), "lists of whole numbers"),
        (raw({"a": {**ENTRY, "shape": [1] * 65}}, b"ab"), "lists of whole numbers"),
        (raw({"a": {**ENTRY, "shape": [3]}}, b"ab"), "`a` of 3 bytes by its shape, 2 by its data_offsets"),
        (raw({"a": {**ENTRY, "shape": [2**32, 2**32]}}, b"ab"), "by its shape"),
        (raw({"a": {**ENTRY, "shape": [0, 2**62, 4], "data_offsets": [0, 0]}}), "by its shape"),
        (raw({"a": {**ENTRY, "data_offsets": [0, 2, 2]}}, b"ab"), "lists of whole numbers"),
        (raw({"a": {**ENTRY, "data_offsets": [2, 0]}}, b"ab"), "-2 by its data_offsets"),
        (raw({"a": ENTRY}, b"a"), "has 1 bytes of arrays, its header says 2"),
        (raw({"a": ENTRY}, b"abc"), "has 3 bytes of arrays, its header says 2"),
        (raw({"a": ENTRY, "b": ENTRY}, b"ab"), "`b` that overlaps another: it begins at byte 0, expected 2"),
        (raw({"a": {**ENTRY, "data_offsets": [1, 3]}}, b"abc"), "`a` that leaves a hole before it"),
        (raw({"a": {**ENTRY, "dtype": "BOOL"}}, b"\1\2"), "`a` of truths that are neither 0 nor 1"),
        (raw(b'{"a":1,"b":2,"a":3}'), "the name `a` twice"),
        (raw(b'{"a":{"dtype":"U8","shape":[2],"shape":[2],"data_offsets":[0,2]}}', b"ab"), "the name `shape` twice"),
    ],
)
def test_a_malformed_file_is_refused_with_its_fault(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in refused(tmp_path / "a", content)


def test_a_header_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.write((100_000_001).to_bytes(8, "little"))
        file.truncate(200_000_000)
    with pytest.raises(FileError, match="the limit is 100 MB"):
        archive.read(tmp_path / "a")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    archive.write(tmp_path / "a", {"w": np.arange(4.0)}, {"k": "v"})
    whole = (tmp_path / "a").read_bytes()
    for length in range(len(whole)):
        refused(tmp_path / "b", whole[:length])


def test_every_flipped_bit_but_in_the_digests_name_and_in_spaces_is_noticed(tmp_path: Path) -> None:
    arrays, metadata = {"w": np.arange(4.0), "b": np.array([True, False])}, {"k": "v"}
    archive.write(tmp_path / "a", arrays, metadata)
    whole = (tmp_path / "a").read_bytes()
    name = whole.index(b"axonc.sha256")
    harmless = {*range(name, name + len("axonc.sha256")), *(i for i, c in enumerate(whole) if c == ord(" "))}
    for position in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[position // 8] ^= 1 << position % 8
        (tmp_path / "b").write_bytes(changed)
        try:
            again, texts = archive.read(tmp_path / "b")
        except FileError:
            continue
        assert position // 8 in harmless
        assert_same(again, arrays)
        assert texts["k"] == "v"


def mutated(header: bytes, rng: random.Random) -> bytes:
    text = bytearray(header)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text))
        match rng.randrange(4):
            case 0:
                text[at] = rng.randrange(256)
            case 1:
                del text[at : at + rng.randint(1, 4)]
            case 2:
                text[at:at] = rng.choice([b"0", b"-", b",", b"[]", b"{}", b'"', b"1e9", b"null", b" ", b"99999999999"])
            case _:
                text[at] = rng.choice(b'0123456789,:"[]{}')
    return bytes(text)


def test_thousands_of_mutated_headers_are_refused_or_read_as_the_library_reads_them(tmp_path: Path) -> None:
    arrays = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.arange(3), "t": np.array([True])}
    safetensors_numpy.save_file(arrays, tmp_path / "a", {"k": "v"})
    whole = (tmp_path / "a").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    rng, read = random.Random(5), 0
    for _ in range(4000):
        content = raw(mutated(whole[8 : 8 + length], rng), whole[8 + length :])
        (tmp_path / "b").write_bytes(content)
        try:
            again, _ = archive.read(tmp_path / "b")
        except FileError:
            continue
        read += 1
        assert_same(again, safetensors_numpy.load(content))
    assert 50 < read < 2000


def test_a_type_that_the_format_lacks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="array `z` of type complex128"):
        archive.write(tmp_path / "a", {"z": np.ones(1, complex)}, {})
    with pytest.raises(FileError, match="keeps that name"):
        archive.write(tmp_path / "a", {"__metadata__": np.ones(1)}, {})
    assert not list(tmp_path.iterdir())


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(FileError, match="not a regular file"):
            archive.read(path)
    with pytest.raises(FileError, match="No such file"):
        archive.read(tmp_path / "none")


# Replacing


def test_the_permissions_are_those_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        archive.write(tmp_path / "a", {"w": np.ones(2)}, {})
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    archive.write(tmp_path / "link", {"w": np.ones(2)}, {})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").is_file()


class Failing:
    """Stands for a call of the operating system that fails when it is made for the `n`-th time."""

    def __init__(self, call: object, fail_at: int) -> None:
        self.call, self.left = call, fail_at

    def __call__(self, *arguments: object) -> object:
        self.left -= 1
        if self.left == 0:
            raise OSError(28, "No space left on device")
        return self.call(*arguments)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
def test_whichever_call_fails_a_whole_file_is_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "a"
    old, new = {"w": np.zeros(1000)}, {"w": np.ones(1000), "b": np.ones(10)}
    archive.write(path, old, {})
    failures = 0
    for n in range(1, 20):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, Failing(getattr(os, name), n))
            try:
                archive.write(path, new, {})
            except FileError as error:
                message = str(error)
            else:
                break
        failures += 1
        assert "No space left on device" in message
        renamed = (name, n) in {("fsync", 2), ("open", 2)}  # only making the folder durable failed
        assert_same(archive.read(path)[0], new if renamed else old)
        assert os.listdir(tmp_path) == ["a"]
        archive.write(path, old, {})
    assert failures == {"open": 2, "write": 4, "fsync": 2, "replace": 1}[name]


LIMITED = """
import resource, sys
import numpy as np
from pathlib import Path
from axonc.runtime import archive
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
archive.write(Path(sys.argv[1]), {"w": np.ones(100_000)}, {})
"""


def test_a_file_that_outgrows_its_room_leaves_the_old_one(tmp_path: Path) -> None:
    archive.write(tmp_path / "a", {"w": np.zeros(3)}, {})
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path / "a"], capture_output=True, text=True, check=False)
    assert "FileError" in done.stderr
    assert "cannot be written: File too large" in done.stderr
    np.testing.assert_array_equal(archive.read(tmp_path / "a")[0]["w"], np.zeros(3))
    assert os.listdir(tmp_path) == ["a"]


KILLED = """
import os, sys, numpy as np
from pathlib import Path
from axonc.runtime import archive, files
def chunks():
    yield b"half"
    os.kill(os.getpid(), 9)
files.replace(Path(sys.argv[1]), chunks())
"""


def test_what_a_killed_writer_left_is_swept_and_a_living_writers_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a[1]*"
    archive.write(path, {"w": np.zeros(3)}, {})
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -9
    assert len(os.listdir(tmp_path)) == 2
    np.testing.assert_array_equal(archive.read(path)[0]["w"], np.zeros(3))

    from axonc.runtime import files

    half, finish = threading.Event(), threading.Event()

    def slow() -> object:
        yield b"one"
        half.set()
        finish.wait(10)
        yield b"two"

    writer = threading.Thread(target=files.replace, args=(path, slow()))
    writer.start()
    half.wait(10)
    archive.write(path, {"w": np.ones(3)}, {})
    assert len(os.listdir(tmp_path)) == 2
    finish.set()
    writer.join()
    assert path.read_bytes() == b"onetwo"
    assert os.listdir(tmp_path) == [path.name]


def test_a_reader_during_many_writes_always_sees_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    archive.write(path, {"w": np.full(5000, 0.0)}, {})
    stop = threading.Event()

    def write() -> None:
        value = 0
        while not stop.is_set():
            value += 1
            archive.write(path, {"w": np.full(5000, float(value))}, {})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            values = archive.read(path)[0]["w"]
            assert (values == values[0]).all()
    finally:
        stop.set()
        writer.join()
