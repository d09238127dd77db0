"""Compiled code is kept where nobody else can write, whole or not at all, and not for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from axonc.runtime.native.errors import UnsafeFolder
from axonc.runtime.native.store import DIGEST, Store, user_store


def test_what_is_kept_is_found_again_by_another(tmp_path: Path) -> None:
    Store(tmp_path / "store").keep("name", b"content")
    assert Store(tmp_path / "store").read("name") == b"content"
    assert Store(tmp_path / "store").read("other") is None


@pytest.mark.parametrize("content", [b"", b"conten", b"content!", b"CONTENT"])
def test_a_file_that_changed_is_as_good_as_missing(store: Store, content: bytes) -> None:
    store.keep("name", b"content")
    store.path("name").write_bytes(content)
    assert store.read("name") is None


@pytest.mark.parametrize("digest", [None, b"", b"\xff", b"0" * 64])
def test_a_file_without_its_digest_is_as_good_as_missing(store: Store, digest: bytes | None) -> None:
    store.keep("name", b"content")
    beside = store.path("name" + DIGEST)
    beside.unlink() if digest is None else beside.write_bytes(digest)
    assert store.read("name") is None


def test_the_folder_is_made_for_the_user_alone(store: Store) -> None:
    assert store.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o710])
def test_a_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(mode)
    with pytest.raises(UnsafeFolder, match=r"store holds compiled code and is open to others.*chmod 700"):
        Store(tmp_path / "store")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    if os.getuid():
        pytest.skip("only root can give a folder away")
    os.chown(folder, 65534, 65534)
    with pytest.raises(UnsafeFolder, match="belongs to somebody else"):
        Store(folder)


def test_a_link_is_as_safe_as_the_folder_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "store").symlink_to(tmp_path / "real")
    for mode, safe in ((0o700, True), (0o707, False)):
        (tmp_path / "real").mkdir(exist_ok=True)
        (tmp_path / "real").chmod(mode)
        if safe:
            Store(tmp_path / "store").keep("name", b"content")
            assert Store(tmp_path / "real").read("name") == b"content"
        else:
            with pytest.raises(UnsafeFolder, match="open to others"):
                Store(tmp_path / "store")


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "axonc").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_store.__wrapped__().folder.name.startswith("axonc-")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_kept_takes_the_place_of_a_link_and_leaves_what_it_leads_to(store: Store) -> None:
    target = store.folder.parent / "precious"
    target.write_bytes(b"precious")
    store.path("name").symlink_to(target)
    store.keep("name", b"content")
    assert store.read("name") == b"content"
    assert target.read_bytes() == b"precious"


def test_the_folder_is_where_the_user_keeps_such_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert user_store.__wrapped__().folder == tmp_path / "cache" / "axonc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_store.__wrapped__().folder == tmp_path / "home" / ".cache" / "axonc"


def test_without_a_home_a_private_folder_serves_until_the_end_of_the_process() -> None:
    code = "from axonc.runtime.native.store import user_store; s = user_store(); s.keep('a', b'b'); print(s.folder)"
    environment = os.environ | {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert folder.name.startswith("axonc-")
    assert not folder.exists()


def test_what_was_used_longest_ago_goes_when_all_is_too_much(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", limit=3500)
    for age, name in ((300, "old"), (200, "older than it looks"), (100, "new")):
        store.keep(name, name.encode() * (900 // len(name)))
        os.utime(store.path(name), times=(time.time() - age,) * 2)
        os.utime(store.path(name + DIGEST), times=(time.time() - age,) * 2)
    assert store.read("old") is not None
    store.keep("newest", bytes(900))
    names = ("old", "older than it looks", "new", "newest")
    assert [store.read(name) is not None for name in names] == [True, False, True, True]
    assert not store.path("older than it looks" + DIGEST).exists()


def test_what_a_killed_process_left_behind_goes(store: Store) -> None:
    for name, age in (("work-old", 2 * 24 * 3600), ("work-new", 0)):
        store.path(name).mkdir()
        os.utime(store.path(name), times=(time.time() - age,) * 2)
    store.keep("name", b"content")
    assert not store.path("work-old").exists()
    assert store.path("work-new").exists()


WRITER = """
import sys
from pathlib import Path
from axonc.runtime.native.store import Store
store = Store(Path(sys.argv[1]))
for _ in range(60):
    store.keep("name", sys.argv[2].encode() * 50_000)
"""


def test_a_reader_finds_the_whole_content_of_one_of_several_writers_or_none(store: Store) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, store.folder, letter]) for letter in "ab"]
    found = set()
    while any(w.poll() is None for w in writers):
        found.add(store.read("name"))
    assert found <= {None, b"a" * 50_000, b"b" * 50_000}
    assert [w.returncode for w in writers] == [0, 0]
    assert {p.name for p in store.folder.iterdir()} == {"name", "name" + DIGEST}
