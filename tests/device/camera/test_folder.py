from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.camera.replay import list_sources
from device.errors import CameraError
from tests.device.camera.clips import write_clip, write_picture


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that cannot be listed, for root neither."""
    folder = tmp_path / "locked"
    folder.mkdir()
    real = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(folder))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return folder


def test_a_folder_is_listed_in_order_with_its_subfolders(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    inner = write_picture(tmp_path / "happy" / "b.JPG")
    outer = write_picture(tmp_path / "a.png")
    write_picture(tmp_path / ".hidden.png")
    assert list_sources(tmp_path).files == [outer, inner]
    assert list_sources(outer).files == [outer]


def test_hidden_folders_are_left_out_unless_they_are_named(tmp_path: Path) -> None:
    outer = write_picture(tmp_path / "a.png")
    thumbnails = tmp_path / "album" / ".thumbnails"
    (thumbnails / "large").mkdir(parents=True)
    inner = write_picture(thumbnails / "large" / "a.png")
    (tmp_path / ".link").symlink_to(tmp_path)
    listing = list_sources(tmp_path)
    assert (listing.files, listing.left_out, listing.unreadable) == ([outer], [], [])
    assert list_sources(thumbnails).files == [inner]


@pytest.mark.parametrize("name", ["a.jfif", "a.heic", "a.avif", "a", "a.txt"])
def test_the_content_makes_a_picture_not_the_name(tmp_path: Path, name: str) -> None:
    path = write_picture(tmp_path / name)
    assert list_sources(tmp_path).files == [path]


@pytest.mark.parametrize("name", ["a.ts", "a.3gp", "a.wmv", "a"])
def test_the_content_makes_a_video_not_the_name(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "a.mp4").rename(tmp_path / name)
    assert list_sources(tmp_path).files == [path]


def test_every_file_that_is_left_out_is_named_once(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "empty").touch()
    assert list_sources(tmp_path).left_out == [
        f"{tmp_path}/empty: not a picture and not a video",
        f"{tmp_path}/link: a link to a folder",
        f"{tmp_path}/notes.txt: not a picture and not a video",
        f"{tmp_path}/pipe.mp4: a FIFO, not a file",
        f"{tmp_path}/zero.mp4: a device, not a file",
    ]


def test_what_cannot_be_looked_at_is_named(tmp_path: Path, locked: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    listing = list_sources(tmp_path)
    assert listing.files == [picture]
    assert listing.unreadable == [
        f"{tmp_path}/gone.jpg: cannot read: No such file or directory",
        f"{locked}: cannot read: Permission denied",
    ]


def test_an_empty_folder_and_a_missing_path_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no picture and no video in this folder"):
        list_sources(tmp_path)
    with pytest.raises(CameraError, match="No such file"):
        list_sources(tmp_path / "gone")
    with pytest.raises(CameraError, match=r"null (byte|character)"):
        list_sources(tmp_path / "a\0b")


def test_a_folder_of_other_things_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(CameraError, match=r"no picture and no video .*notes\.txt: not a picture"):
        list_sources(tmp_path)
