import io
import sys

import pytest

from moorage_cli import progress
from moorage_sdk.transfers import Progress

LAYER = "layer-sha256:" + "a" * 64


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def reports() -> list[Progress]:
    return [
        Progress("resolving", "busybox"),
        Progress("waiting", LAYER, (), 0, 2048),
        Progress("downloading", LAYER, (), 0, 2048),
        Progress("downloading", LAYER, (), 1024, 2048),
        Progress("complete", LAYER, (), 2048, 2048),
        Progress("", ""),
    ]


def test_lines_say_each_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.display("busybox") as report:
        for each in reports():
            report(each)
    assert capsys.readouterr().out.splitlines() == [
        "busybox: pulling",
        "busybox: resolving",
        "layer-aaaaaaaaaaaa: downloading 2.0 KiB",
        "layer-aaaaaaaaaaaa: complete 2.0 KiB",
    ]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.display("busybox", quiet=True) as report:
        for each in reports():
            report(each)
    assert capsys.readouterr() == ("", "")


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.display("busybox", stderr=True) as report:
        for each in [*reports(), Progress("done[bold]", "evil\x1b]0;x\x07name", (), 0, 5)]:
            report(each)
    assert "layer-aaaaaaaaaaaa" in stream.getvalue()
    assert "2.0 KiB of 2.0 KiB" in stream.getvalue()
    assert "\x1b]0;" not in stream.getvalue()
    assert "done[bold]" in stream.getvalue()


def test_a_narrow_terminal_shows_whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.display("busybox", stderr=True) as report:
        for each in reports()[:4]:
            report(each)
    assert "layer-aaaaaaaaaaaa downloading 1.0 KiB" in stream.getvalue()
    assert "…" not in stream.getvalue()


def test_short_names() -> None:
    assert progress.short(LAYER) == "layer-" + "a" * 12
    assert progress.short("docker.io/library/x:1") == "docker.io/library/x:1"
    assert progress.short("sha256:abc") == "sha256:abc"
