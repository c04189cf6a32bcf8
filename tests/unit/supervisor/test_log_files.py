from __future__ import annotations

from pathlib import Path

from shoald.supervisor.log_files import rotate


def test_a_log_that_grew_too_large_moves_on_and_its_writer_starts_again(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        for word in (b"first", b"second", b"third", b"fourth"):
            writer.write(word)
            assert rotate(log, most_bytes=3, kept=2)
        writer.write(b"x")
    assert log.read_bytes() == b"x"
    assert (tmp_path / "part.log.1").read_bytes() == b"fourth"
    assert (tmp_path / "part.log.2").read_bytes() == b"third"
    assert not (tmp_path / "part.log.3").exists()


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("short")
    assert not rotate(log, most_bytes=100)
    assert not rotate(tmp_path / "none.log")
