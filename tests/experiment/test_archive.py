"""A run as one file: nothing of it is lost, the same run gives the same bytes, and no stranger's file does harm."""

from __future__ import annotations

import io
import json
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

from experiment import archive, packing, sample_columns
from experiment.archive import opened
from experiment.errors import USAGE, ExpectedError
from experiment.journal import JournalError
from experiment.packing import pack
from experiment.run_folder import read_run
from experiment.sample_columns import Index, Table

TRUTH = Truth(samples=300, blocks=2, scenarios=("predict@1", "predict~poisson200rps"), modes=("function",))
Columns = dict[str, npt.NDArray[Any]]


@pytest.fixture(name="run", scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a ladder, JUnit XML, a log and a report."""
    folder = write_ladder(write_run(tmp_path_factory.mktemp("runs") / "run", TRUTH), LadderTruth())
    (folder / "conformance.xml").write_text("<testsuites/>")
    (folder / "instructions.json").write_text("[]")
    (folder / "logs").mkdir()
    (folder / "logs" / "flask.log").write_text("started")
    (folder / "report.html").write_text("<html>")
    return folder


@pytest.fixture(name="packed", scope="module")
def its_archive(run: Path) -> Path:
    """The archive of that run."""
    pack(run, run.with_name("run.zip"))
    return run.with_name("run.zip")


def samples_of(folder: Path) -> dict[str, Columns]:
    """All columns of all samples files."""
    found = {}
    for path in sorted((folder / "samples").iterdir()):
        with np.load(path, allow_pickle=False) as columns:
            found[path.name] = dict(columns)
    return found


def same(one: Columns, other: Columns) -> bool:
    """The same names, types and values."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name]) for name in one
    )


def refusal(path: Path) -> str:
    """What is said of a file that is refused, in one line with a hint; nothing of it was opened."""
    with pytest.raises(ExpectedError) as caught, opened(path):
        pytest.fail("it was opened")
    assert caught.value.code == USAGE
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def rewritten(packed: Path, into: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with its members changed."""
    with zipfile.ZipFile(packed) as before:
        members = {name: before.read(name) for name in before.namelist()}
    change(members)
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as after:
        for name, content in members.items():
            after.writestr(name, content)
    return into


def test_what_a_report_is_drawn_from_comes_back(run: Path, packed: Path) -> None:
    """Journal, ladder, counts and JUnit are the same bytes, every sample the same number; the rest stayed behind."""
    with opened(packed) as folder:
        names = {path.name for path in folder.iterdir()}
        assert names == {"journal.jsonl", "ladder.json", "instructions.json", "conformance.xml", "samples"}
        for name in names - {"samples"}:
            assert (folder / name).read_bytes() == (run / name).read_bytes(), name
        mine, theirs = samples_of(folder), samples_of(run)
        assert list(mine) == list(theirs)
        assert all(same(mine[name], theirs[name]) for name in theirs)
        assert msgspec.structs.replace(read_run(folder), folder=run) == read_run(run)
    assert not folder.exists()


def test_what_stays_behind_is_named(run: Path, tmp_path: Path) -> None:
    """Logs and report are named; so is a samples file that is none, while the others come along."""
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "samples" / "b9-torn.npz").write_bytes(b"PK\x03\x04torn")
    (copy / "samples" / "b1.npz.partial").write_bytes(b"")
    np.savez(copy / "samples" / "b9-other.npz", due_ns=np.arange(3))
    told = pack(copy, tmp_path / "run.zip")
    others = ("samples/b1.npz.partial", "samples/b9-other.npz", "samples/b9-torn.npz")
    assert told.left_out == ("logs", "report.html", *others)
    assert told.kept_every == 1
    with opened(tmp_path / "run.zip") as folder:
        assert list(samples_of(folder)) == list(samples_of(run))


def test_the_same_run_gives_the_same_bytes(run: Path, packed: Path, tmp_path: Path) -> None:
    """A copy with other times and rights, made elsewhere, and an archive of the archive: all are equal."""
    copy = shutil.copytree(run, tmp_path / "copy", copy_function=shutil.copyfile)
    (copy / "journal.jsonl").chmod(0o600)
    pack(copy, tmp_path / "first.zip")
    assert (tmp_path / "first.zip").read_bytes() == packed.read_bytes()
    with opened(packed) as folder:
        pack(folder, tmp_path / "second.zip")
    assert (tmp_path / "second.zip").read_bytes() == packed.read_bytes()


def test_a_smaller_archive_has_every_kth_sample(run: Path, packed: Path, tmp_path: Path) -> None:
    """In less room each trial has its first sample and every k-th after it, and a second thinning multiplies."""
    most_bytes = int(0.75 * packed.stat().st_size)
    told = pack(run, tmp_path / "small.zip", most_bytes=most_bytes)
    assert told.size_bytes == (tmp_path / "small.zip").stat().st_size <= most_bytes
    assert 2 <= told.kept_every <= 4
    with opened(tmp_path / "small.zip") as folder:
        assert read_run(folder).kept_every == told.kept_every
        whole = samples_of(run)
        for name, columns in samples_of(folder).items():
            assert same(columns, {one: values[:: told.kept_every] for one, values in whole[name].items()}), name
        again = pack(folder, tmp_path / "smaller.zip", most_bytes=told.size_bytes - 1)
    assert again.kept_every % told.kept_every == 0
    assert again.kept_every > told.kept_every
    with opened(tmp_path / "smaller.zip") as folder:
        assert read_run(folder).kept_every == again.kept_every


def test_what_cannot_be_made_to_fit_is_an_error(run: Path, tmp_path: Path) -> None:
    """The journal alone is larger than this: nothing is written."""
    with pytest.raises(ValueError, match="of them without samples: more than 1000"):
        pack(run, tmp_path / "run.zip", most_bytes=1000)
    with pytest.raises(JournalError, match="not a run folder"):
        pack(tmp_path, tmp_path / "run.zip")
    assert not list(tmp_path.iterdir())


def test_a_run_without_samples_is_packed(run: Path, tmp_path: Path) -> None:
    """A climb of the ladder alone has no samples, and its archive has none."""
    copy = shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns("samples"))
    pack(copy, tmp_path / "run.zip", most_bytes=1 << 20)
    with opened(tmp_path / "run.zip") as folder:
        assert not (folder / "samples").exists()
        assert read_run(folder).trials


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_number_survives(data: st.DataObject) -> None:
    """Whatever stands in the columns, times that run backwards and the ends of a type's range among them."""
    lengths = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
    kinds = data.draw(
        st.dictionaries(
            st.sampled_from([*sample_columns.TIMES, "status", "user"]),
            st.sampled_from(["<i8", "<i4", "<i2", "|i1", "<u8", "|u1"]),
            min_size=1,
        )
    )
    index = Index(columns=kinds, samples={f"b{number}.npz": length for number, length in enumerate(lengths)})
    table = Table(
        index=index,
        columns={name: data.draw(arrays.arrays(np.dtype(kind), index.size)) for name, kind in kinds.items()},
    )
    back = sample_columns.decoded(index, {name: table.encoded(name) for name in kinds})
    assert same(dict(back.columns), dict(table.columns))


def test_a_folder_is_opened_as_it_is(run: Path, tmp_path: Path) -> None:
    """So is a place where nothing is: whoever reads it says so."""
    for path in (run, tmp_path / "nowhere"):
        with opened(path) as folder:
            assert folder == path


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, text, a beginning, something else."""
    (tmp_path / "run.zip").write_bytes(content)
    assert "not a zip" in refusal(tmp_path / "run.zip")


def test_a_truncated_or_damaged_archive_is_refused(packed: Path, tmp_path: Path) -> None:
    """Cut anywhere, or with a byte changed in a member's data, it is refused; checksums find the latter."""
    content, path = packed.read_bytes(), tmp_path / "run.zip"
    for cut in (len(content) // 3, len(content) - 30, len(content) - 1):
        path.write_bytes(content[:cut])
        refusal(path)
    with zipfile.ZipFile(packed) as whole:
        place = whole.getinfo("samples/due_ns").header_offset + 200
    path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
    refusal(path)


@pytest.mark.parametrize(
    "name",
    [
        "../journal.jsonl",
        "/etc/passwd",
        "samples/../../x",
        "samples\\x",
        "C:\\x",
        "logs/flask.log",
        "samples/",
        "samples/b0.npz",
        "report.html",
        "journal.jsonl\n",
        "summary.json",
    ],
)
def test_a_member_that_a_run_has_not_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    """Out of the folder, elsewhere on the machine, or just unknown: the whole archive is refused, by that name."""
    assert "does not belong in it" in refusal(
        rewritten(packed, tmp_path / "x.zip", lambda held: held.update({name: b"x"}))
    )


def test_a_link_is_refused(packed: Path, tmp_path: Path) -> None:
    """A member of a name that may be, but of the kind of a symbolic link."""
    path = rewritten(packed, tmp_path / "x.zip", lambda held: held.pop("conformance.xml") and None)
    link = zipfile.ZipInfo("conformance.xml")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "/etc/passwd")
    assert "does not belong in it" in refusal(path)


def test_a_member_twice_is_refused(packed: Path, tmp_path: Path) -> None:
    """Which of the two is meant is not guessed."""
    path = tmp_path / "x.zip"
    shutil.copyfile(packed, path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr("ladder.json", "{}")
    assert "twice" in refusal(path)


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the members say that they take is added up before any is read."""
    monkeypatch.setattr(archive, "MOST_PLAIN_BYTES", 1 << 20)
    monkeypatch.setattr(archive, "_content", lambda *_: pytest.fail("it was read"))
    path = rewritten(packed, tmp_path / "x.zip", lambda held: held.update({"ladder.json": bytes(1 << 20)}))
    assert path.stat().st_size < 1 << 20
    assert "the most" in refusal(path)


def test_a_member_larger_than_it_says_is_not_unpacked(packed: Path, tmp_path: Path) -> None:
    """A bomb that calls itself ten bytes: ten are read, and their checksum is wrong."""
    path = rewritten(packed, tmp_path / "x.zip", lambda held: held.update({"ladder.json": bytes(50 << 20)}))
    content = bytearray(path.read_bytes())
    true, claimed = struct.pack("<L", 50 << 20), struct.pack("<L", 10)
    assert content.count(true) == 2
    content = content.replace(true, claimed)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as file:
        assert file.getinfo("ladder.json").file_size == 10
    assert "CRC" in refusal(path)


def test_an_encrypted_member_is_refused(packed: Path, tmp_path: Path) -> None:
    """Nobody can be asked for a password."""
    content = bytearray(packed.read_bytes())
    central = content.find(b"PK\x01\x02")
    content[central + 8] |= 1
    (tmp_path / "x.zip").write_bytes(content)
    assert "encrypted" in refusal(tmp_path / "x.zip")


def _index(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, bytes]], None]:
    def changed(members: dict[str, bytes]) -> None:
        index = json.loads(members["samples.json"])
        change(index)
        members["samples.json"] = json.dumps(index).encode()

    return changed


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held.pop("journal.jsonl"),
        lambda held: held.pop("samples.json"),
        lambda held: held.pop("samples/due_ns"),
        lambda held: held.update({"samples/more": b""}),
        lambda held: held.update({"samples/due_ns": held["samples/due_ns"][:-8]}),
        lambda held: held.update({"samples.json": b"{"}),
        lambda held: held.update({"samples.json": b"[]"}),
        _index(lambda index: index.update(version=2)),
        _index(lambda index: index["columns"].update(due_ns="|O")),
        _index(lambda index: index["columns"].update(due_ns="<i4")),
        _index(lambda index: index.update(columns={})),
        _index(lambda index: index["samples"].update({"../b0.npz": 0})),
        _index(lambda index: index["samples"].update({"/b0.npz": 0})),
        _index(lambda index: index["samples"].update({"b0.npz\n": 0})),
        _index(lambda index: index["samples"].update({".npz": 0})),
        _index(lambda index: index["samples"].update({"b0.npz": -1})),
        _index(lambda index: index["samples"].update({"b0.npz": 2**70})),
        _index(lambda index: index["samples"].update({f"b{n}.npz": 0 for n in range(sample_columns.MOST_FILES)})),
    ],
)
def test_members_that_contradict_each_other_are_refused(
    packed: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    """A missing part, a type that is none, more samples than there are, a file's name that leads out of the folder."""
    refusal(rewritten(packed, tmp_path / "x.zip", lambda held: change(held) and None))


def test_a_journal_that_is_none_is_named_with_its_archive(packed: Path, tmp_path: Path) -> None:
    """What is wrong inside is said by the reader of folders, which names the archive and the line."""
    path = rewritten(packed, tmp_path / "x.zip", lambda held: held.update({"journal.jsonl": b'{"kind":"end"}\n{\n'}))
    with opened(path) as folder, pytest.raises(JournalError, match=r"x\.zip.journal\.jsonl, line 2"):
        read_run(folder)


def test_a_run_that_is_larger_than_an_archive_may_be_is_thinned(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `opened` would refuse, `pack` does not write."""
    for module in (archive, packing):
        monkeypatch.setattr(module, "MOST_PLAIN_BYTES", 400_000)
    told = pack(run, tmp_path / "run.zip")
    assert told.kept_every > 1
    with opened(tmp_path / "run.zip") as folder:
        assert read_run(folder).kept_every == told.kept_every


def test_an_archive_opens_in_any_unzip(packed: Path) -> None:
    """Its members are stored or deflated, which every tool reads, and the index says what is in the columns."""
    with zipfile.ZipFile(io.BytesIO(packed.read_bytes())) as file:
        assert {one.compress_type for one in file.infolist()} == {zipfile.ZIP_DEFLATED}
        index = msgspec.json.decode(file.read("samples.json"))
    assert index["columns"]["due_ns"] == "<i8"
    assert sum(index["samples"].values()) > 1000
