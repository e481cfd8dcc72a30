"""The store: a file is there whole or not at all, and its entry says what reading it again would say."""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eyas.corpus.store import FileEntry, Store, digest_of
from eyas.errors import StorageError


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield Store(str(tmp_path / "run"))
        return
    store = Store(f"memory://{uuid.uuid4().hex}/run")
    yield store
    store.delete("")


def put(store: Store, path: str, *pieces: bytes) -> FileEntry:
    with store.create(path) as output:
        for piece in pieces:
            output.sink.write(piece)
    return output.published()


def check(store: Store, entry: FileEntry) -> bytes:
    with store.open(entry.path) as file:
        data = file.read()
    assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert store.holds(entry)
    return data


def test_an_entry_says_what_is_in_the_file(store: Store) -> None:
    assert check(store, put(store, "deep/down/x.bin", b"one ", b"", b"two")) == b"one two"
    assert check(store, put(store, "empty", b"")) == b""
    assert check(store, store.write_json("a.json", {"b": [1, None], "a": "é"})).startswith(b'{\n "a"')
    assert store.read_json("a.json") == {"a": "é", "b": [1, None]}
    table = pa.table({"id": pa.array(range(1000), pa.uint64()), "text": pa.array(["x"] * 1000, pa.large_string())})
    entry = store.write_table("t.parquet", table)
    check(store, entry)
    assert entry.rows == 1000
    assert store.read_table("t.parquet").equals(table)
    assert FileEntry.from_json(entry.to_json()) == entry


def test_a_table_written_in_pieces_counts_its_rows(store: Store) -> None:
    table = pa.table({"id": pa.array(range(10), pa.uint64())})
    with store.parquet("t.parquet", table.schema) as output:
        for start, length in ((0, 4), (4, 0), (4, 6)):
            output.write(table.slice(start, length))
    assert output.published().rows == 10
    assert store.read_table("t.parquet").equals(table)
    with store.parquet("none.parquet", table.schema) as output:
        pass
    assert store.read_table("none.parquet").equals(table.slice(0, 0))


def test_an_exception_inside_the_block_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="mine"), store.create("folder/x.bin") as output:
        output.sink.write(b"half" * 5000)
        raise RuntimeError("mine")
    with pytest.raises(KeyError), store.parquet("folder/t.parquet", pa.schema([("id", pa.uint64())])):
        raise KeyError("mine")
    assert not store.exists("folder/x.bin")
    assert store.list("folder") == []
    if store.local:
        assert list(Path(store.root).rglob("*.tmp")) == []


def test_a_failed_rewrite_leaves_the_local_file_as_it_was(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    entry = put(store, "x.bin", b"before")
    with pytest.raises(RuntimeError), store.create("x.bin") as output:
        output.sink.write(b"after")
        raise RuntimeError
    assert check(store, entry) == b"before"


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    code = (
        "import os, sys; from eyas.corpus.store import Store\n"
        "with Store(sys.argv[1]).create('x.bin') as output:\n"
        "    output.sink.write(b'half' * 100_000); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    store = Store(str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1, "the temporary file should be there, or this test shows nothing"
    assert store.list("") == []
    assert not store.exists("x.bin")
    check(store, put(store, "x.bin", b"whole"))


def test_two_attempts_at_one_part_never_mix(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with store.create("x.bin") as slow:
        slow.sink.write(b"sl")
        assert check(store, put(store, "x.bin", b"fast")) == b"fast"
        slow.sink.write(b"ow")
    assert check(store, slow.published()) == b"slow"
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def attempt() -> None:
        try:
            start.wait()
            for _ in range(5):
                check(store, put(store, "y.bin", b"same bytes", b"!" * 100_000))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.list("") == ["x.bin", "y.bin"]
    assert len(list(tmp_path.iterdir())) == 2


DISK_FULL = """
import resource, sys
import pyarrow as pa
from eyas.corpus.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # writes beyond fail, as on a full disk
store = Store(sys.argv[1])
try:
    if sys.argv[2] == "plain":
        with store.create("part.bin") as output:
            for _ in range(100):
                output.sink.write(b"x" * 1000)
    elif sys.argv[2] == "last flush":
        with store.create("part.bin") as output:
            output.sink.write(b"x" * 16_000)
            output.sink.write(b"x" * 5_000)
    else:
        store.write_table("part.bin", pa.table({"n": pa.array([i * i for i in range(100_000)])}))
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("how", ["plain", "last flush", "parquet"])
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-c", DISK_FULL, str(tmp_path), how]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in result.stdout
    assert f"'{tmp_path}/part.bin'" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=r"cannot be written.*--runs DIR"):
        Store(str(tmp_path / "file" / "run")).check_writable()
    if os.getuid() != 0:  # root may write anywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(StorageError, match=r"closed.*cannot be written"):
            Store(str(tmp_path / "closed" / "run")).check_writable()
    good = Store(str(tmp_path / "good"))
    good.check_writable()
    assert good.list("") == []


def test_a_manifest_does_not_vouch_for_a_file_that_is_gone_or_cut(store: Store) -> None:
    entry = put(store, "x.bin", b"content")
    store.fs.pipe_file(store.path("x.bin"), b"cont")
    assert not store.holds(entry)
    store.delete("x.bin")
    assert not store.holds(entry)
    assert not store.exists("x.bin")
    store.delete("x.bin")
    assert store.list("no such folder") == []


def test_broken_json_is_an_error_that_names_the_file(store: Store) -> None:
    put(store, "m.json", b'{"half": ')
    with pytest.raises(ValueError, match=r"m\.json: not valid JSON.*delete it"):
        store.read_json("m.json")


def test_a_store_travels_to_a_worker(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = put(store, "x.bin", b"content")
    travelling = pickle.dumps(store)
    monkeypatch.chdir(tmp_path)
    check(pickle.loads(travelling), entry)


def test_a_relative_folder_means_the_same_in_another_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("runs/one")
    entry = put(store, "x.bin", b"content")
    travelling = pickle.dumps(store)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    check(pickle.loads(travelling), entry)


def test_plain_tools_read_what_was_written(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["a", "b"], pa.large_string())})
    Store(str(tmp_path)).write_table("t.parquet", table)
    assert pq.read_table(tmp_path / "t.parquet").equals(table)


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})
    assert len(digest_of(None)) == 64


@pytest.mark.filterwarnings("error")
def test_an_object_store_gets_whole_objects_or_none() -> None:
    """S3 as moto plays it: the promise that an object appears when its file is closed, and not before."""
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        fs = fsspec.filesystem(
            "s3", key="k", secret="s", endpoint_url=f"http://{host}:{port}", skip_instance_cache=True
        )
        fs.mkdir("bucket")
        store = Store("memory://unused")
        store.fs, store.root = fs, "bucket/run"
        before = check(store, put(store, "x.bin", b"before"))
        # Over 5 MiB: several parts of one upload.
        for size in (10, 60_000_000):
            with pytest.raises(RuntimeError), store.create("x.bin") as output:
                output.sink.write(b"x" * size)
                assert not store.exists("y.bin")
                raise RuntimeError
            # The finaliser of an abandoned file must not publish it after all.
            del output
            gc.collect()
            fs.invalidate_cache()
            assert fs.cat_file("bucket/run/x.bin") == before
        check(store, put(store, "y.bin", b"whole"))
        assert store.list("") == ["x.bin", "y.bin"]
    finally:
        server.stop()
