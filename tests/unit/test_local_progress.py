"""What a first start shows: little, on standard error, and fit for where it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countersign.local.progress import Bar, Lines, Progress, on_stderr

if TYPE_CHECKING:
    import pytest


def show(progress: Progress) -> None:
    """Play a download of eight jars of a megabyte."""
    progress.start(jars=8, size=8_000_000)
    for _ in range(8):
        progress.advance(size=1_000_000)
        progress.advance(jars=1)
    progress.end()
    progress.note("done")


def test_lines_say_each_quarter_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain lines name the whole at first, then each quarter of the jars, then what follows."""
    show(Lines())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Downloading 8 jars of Apache Kafka (8 MB), once",
        *(f"  {jars} of 8 jars" for jars in (2, 4, 6, 8)),
        "done",
    ]


def test_bar_ends_with_all_jars(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar counts jars and bytes, on standard error."""
    show(Bar())
    out, err = capsys.readouterr()
    assert out == ""
    assert "jar 8 of 8" in err
    assert "8.0/8.0 MB" in err


def test_pipes_get_lines() -> None:
    """Standard error that is no terminal, as under pytest, gets plain lines."""
    assert type(on_stderr()) is Lines
