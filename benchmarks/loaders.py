"""Loaders beside the bare library call for the same file: what a child of its own, positions and structure cost.

`SHOAL_BENCH=small` takes files of a tenth of the size. Each figure is the best of three.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import docx
import openpyxl
import pdfplumber
import pypdfium2
import python_calamine
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table, TableStyle

from benchmarks._clustering import Report
from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.vocabulary import LoaderType

SCALE = 1 if os.environ.get("SHOAL_BENCH") == "small" else 10


def main() -> None:
    """Measure, print, and write `benchmarks/results/loaders.md`: seconds of the library, of the loader, their ratio."""
    texts = [item["text"] for found in standard_library_texts().values() for item in found]
    loader = ParserChildLoader(
        parsers={kind: Parser(function=f"shoald.adapters.document_loaders.{kind}:load") for kind in LoaderType}
    )
    report = Report("loaders", "Loaders, each in its child, beside the bare library call")
    report.head("what", "library, s", "Shoal, s", "ratio", "segments")
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, kind, make, bare in _cases(texts):
                path = Path(folder) / "file"
                path.write_bytes(make())
                what = f"{name}, {path.stat().st_size / 1e6:.1f} MB"
                plain, ours, count = _compared(loader, kind, path, bare)
                report.row(what, f"{plain:.3f}", f"{ours:.3f}", f"{ours / plain:.2f}", f"{count:,}")
            report.row("a small file", "", f"{_small(loader, Path(folder) / 'small'):.4f}", "", 1)
    finally:
        loader.close()


Case = tuple[str, LoaderType, Callable[[], bytes], Callable[[Path], object]]


def _cases(texts: list[str]) -> list[Case]:
    return [
        ("pdf text, PDFium", LoaderType.PDF, lambda: _pdf(texts, 20 * SCALE), _pdfium),
        ("pdf tables, pdfplumber", LoaderType.PDF, lambda: _pdf_tables(2 * SCALE), _plumber),
        ("docx, python-docx", LoaderType.DOCX, lambda: _docx(texts, 300 * SCALE), _python_docx),
        ("xlsx, calamine", LoaderType.EXCEL, lambda: _xlsx(2_000 * SCALE), _calamine),
        ("xlsx with formats, calamine", LoaderType.EXCEL, lambda: _xlsx(2_000 * SCALE, "0.00"), _calamine),
        ("csv, csv.reader", LoaderType.CSV, lambda: _csv(texts, 20_000 * SCALE), _reader),
        ("html, html.parser", LoaderType.HTML, lambda: _html(texts, 500 * SCALE), _html_parser),
        ("markdown, reading it", LoaderType.MARKDOWN, lambda: _markdown(texts, 1000 * SCALE), Path.read_text),
        ("text, reading it", LoaderType.TEXT, lambda: "\n\n".join(texts * SCALE).encode(), Path.read_text),
    ]


def _compared(
    loader: ParserChildLoader, kind: str, path: Path, bare: Callable[[Path], object]
) -> tuple[float, float, int]:
    """Return the seconds of the library and of the loader, and how many segments it gives."""
    _, plain = _best(lambda: bare(path))
    count, ours = _best(lambda: _load(loader, path, kind))
    return plain, ours, count


def _small(loader: ParserChildLoader, path: Path) -> float:
    """Return what a file costs beside its reading, in seconds."""
    path.write_text("# A\n\nfew words\n")
    _, seconds = _best(lambda: [_load(loader, path, "markdown") for _ in range(20)])
    return seconds / 20


def _load(loader: ParserChildLoader, path: Path, kind: str) -> int:
    items = loader.load(str(path), filename="x", loader_type=kind, loader_params={}, keep=lambda *_: {})
    return sum(1 for _ in items)


def _best(call: Callable[[], object]) -> tuple[int, float]:
    times, result = [], None
    for _ in range(3):
        began = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - began)
    return result if isinstance(result, int) else 0, min(times)


def _pdf(texts: list[str], pages: int) -> bytes:
    style = getSampleStyleSheet()["BodyText"]
    out = io.BytesIO()
    words = " ".join(" ".join(texts).split())[: pages * 2500].replace("<", "").replace("&", "")
    parts = [Paragraph(words[at : at + 2500], style) for at in range(0, len(words), 2500)]
    SimpleDocTemplate(out).build([flowable for part in parts for flowable in (part, PageBreak())])
    return out.getvalue()


def _pdf_tables(pages: int) -> bytes:
    out = io.BytesIO()
    rows = [[f"cell {row} {column}" for column in range(4)] for row in range(30)]
    grid = TableStyle([("GRID", (0, 0), (-1, -1), 1, colors.black)])
    SimpleDocTemplate(out).build([part for _ in range(pages) for part in (Table(rows, style=grid), PageBreak())])
    return out.getvalue()


def _docx(texts: list[str], paragraphs: int) -> bytes:
    document, out = docx.Document(), io.BytesIO()
    printable = ("".join(c for c in text if c.isprintable() or c == "\n") for text in texts)
    for number, text in enumerate(islice(printable, paragraphs)):
        if number % 10 == 0:
            document.add_heading(f"Part {number}", 1 + number // 10 % 3)
        document.add_paragraph(text)
    document.save(out)
    return out.getvalue()


def _xlsx(rows: int, number_format: str = "General") -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    for number in range(rows):
        sheet.append([f"name {number}", number, number / 7, "words in a cell", number % 2 == 0])
        sheet.cell(number + 1, 3).number_format = number_format
    book.save(out)
    return out.getvalue()


def _csv(texts: list[str], rows: int) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([n, texts[n % len(texts)][:60], n / 7] for n in range(rows))
    return out.getvalue().encode()


def _html(texts: list[str], sections: int) -> bytes:
    parts = [f"<h2>Part {n}</h2><p>{text.replace('<', '&lt;')}</p>" for n, text in enumerate(texts[:sections])]
    return ("<!doctype html><body>" + "".join(parts)).encode()


def _markdown(texts: list[str], sections: int) -> bytes:
    return "\n\n".join(f"## Part {n}\n\n{text}" for n, text in enumerate(texts[:sections])).encode()


def _pdfium(path: Path) -> object:
    document = pypdfium2.PdfDocument(path)
    return [page.get_textpage().get_text_range() for page in document]


def _plumber(path: Path) -> object:
    with pdfplumber.open(path) as document:
        return [page.extract_tables() for page in document.pages]


def _python_docx(path: Path) -> object:
    return [
        (paragraph.style and paragraph.style.name, paragraph.text) for paragraph in docx.Document(str(path)).paragraphs
    ]


def _calamine(path: Path) -> object:
    return python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()


def _reader(path: Path) -> object:
    with path.open(newline="") as file:
        return sum(1 for _ in csv.reader(file))


def _html_parser(path: Path) -> object:
    words: list[str] = []
    parser = HTMLParser()
    parser.handle_data = words.append  # type: ignore[assignment,method-assign] # all that is wanted
    parser.feed(path.read_text())
    return words


if __name__ == "__main__":
    main()
