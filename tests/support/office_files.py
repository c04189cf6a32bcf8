"""Small real files of each format, made by the libraries that others make them with."""

from __future__ import annotations

import datetime as dt
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

import docx
import openpyxl
import pptx
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from PIL import Image
from pptx.util import Inches
from reportlab.lib import colors, pdfencrypt
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen import canvas
from reportlab.platypus import Image as PlacedImage
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table, TableStyle


def png(width: int = 1, height: int = 1) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xff\0\0" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width: int = 64, height: int = 48) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "JPEG")
    return out.getvalue()


def word_file(write: Any) -> bytes:
    """Return the file of a document that `write` was given to fill."""
    document = docx.Document()
    write(document)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def handbook(document: Any) -> None:
    """Fill a document with something of everything: headings, tables, lists, a picture."""
    document.add_paragraph("Before anything.")
    document.add_heading("Fruit", 1)
    document.add_paragraph("About fruit.")
    table = document.add_table(2, 3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "name"
    table.cell(0, 2).text = "a|b"
    table.cell(1, 0).text = "pear"
    table.cell(1, 1).text = "007"
    inner = table.cell(1, 2).add_table(1, 2)
    inner.cell(0, 0).text = "in"
    inner.cell(0, 1).text = "side"
    document.add_paragraph("After the table.")
    document.add_heading("Pears", 3)
    document.add_paragraph("round", style="List Bullet")
    document.add_paragraph("first", style="List Number")
    document.add_paragraph("second", style="List Number")
    document.add_paragraph("Look: ").add_run().add_picture(io.BytesIO(png()))
    document.inline_shapes[0]._inline.docPr.set("descr", "a red dot")
    document.add_heading("Boats", 1)
    document.add_paragraph("About boats.")


def styled_paragraph(document: Any, text: str, name: str, *, outline_level: int | None = None) -> None:
    """Add a paragraph of a style that exists under a translated name, perhaps with an outline level."""
    style = document.styles.add_style(name, 1)
    paragraph = document.add_paragraph(text, style=style)
    if outline_level is not None:
        level = OxmlElement("w:outlineLvl")
        level.set(qn("w:val"), str(outline_level))
        paragraph._p.get_or_add_pPr().append(level)


def price_list() -> bytes:
    """Return a workbook with formats, merged cells, an empty sheet and a hidden one."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices"
    rows: list[list[Any]] = [
        ["name", "price", "share", "day", "ok"],
        ["a|b", 1234.5, 0.125, dt.date(2024, 2, 3), True],
        ["007", 5, -3, dt.datetime(2024, 2, 3, 14, 5), None],  # noqa: DTZ001 - sheets know no zones
        ["merged", None, None, dt.time(9, 30), False],
    ]
    for at, row in enumerate(rows, 2):
        for column, value in enumerate(row, 2):
            sheet.cell(at, column, value)
    sheet["C3"].number_format = '#,##0.00 "€"'
    sheet["D3"].number_format = "0.0%"
    sheet["E3"].number_format = "DD.MM.YYYY"
    sheet["D4"].number_format = "#,##0;(#,##0)"
    sheet.merge_cells("B5:C6")
    book.create_sheet("Empty")
    hidden = book.create_sheet("Hidden")
    hidden.sheet_state = "hidden"
    hidden["A1"], hidden["A2"] = "h", 1
    return saved(book)


def saved(file: Any) -> bytes:
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def slides() -> bytes:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Hello"
    slide.placeholders[1].text = "Line 1\nLine 2"
    slide.placeholders[1].text_frame.paragraphs[1].level = 1
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(2)).table
    for at, text in enumerate(["a", "b|c", "1", ""]):
        table.cell(at // 2, at % 2).text = text
    slide.shapes.add_picture(io.BytesIO(png()), 0, 0)
    slide.shapes[-1]._element.nvPicPr.cNvPr.set("descr", "a red dot")
    slide.notes_slide.notes_text_frame.text = "Say this"
    plain = show.slides.add_slide(show.slide_layouts[6])
    plain.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "No title here"
    return saved(show)


def report() -> bytes:
    """Return a PDF file of three pages: text around a table with lines, a heading, a scan."""
    style = getSampleStyleSheet()
    table = Table([["Name", "Price"], ["Pear | red", "1.10"], ["Apple", "007"]])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 1, colors.black)]))
    out = io.BytesIO()
    SimpleDocTemplate(out, pagesize=A4).build(
        [
            *(Paragraph("Grüße from page one.", style["BodyText"]), table, Paragraph("Below it.", style["BodyText"])),
            *(PageBreak(), Paragraph("Second page", style["Heading1"])),
            *(PageBreak(), PlacedImage(io.BytesIO(jpeg()), 200, 150)),
        ]
    )
    return out.getvalue()


def plain_pdf(pages: list[str], *, password: str | None = None) -> bytes:
    out = io.BytesIO()
    lock = pdfencrypt.StandardEncryption(password, ownerPassword="owner") if password else None
    page = canvas.Canvas(out, pagesize=A4, encrypt=lock)
    for text in pages:
        for at, line in enumerate(text.split("\n")):
            page.drawString(72, 770 - 14 * at, line)
        page.showPage()
    page.save()
    return out.getvalue()


def mail() -> bytes:
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "c@example.org", "inner"
    inner.set_content("<h1>Head</h1><p>in it", subtype="html")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <a@example.org>", "b@example.org", "Grüße"
    message["Date"] = "Mon, 1 Jan 2024 10:00:00 +0000"
    message.set_content("Plain é text")
    message.add_alternative("<p>Other form</p>", subtype="html")
    message.add_attachment(png(), maintype="image", subtype="png", filename="dot.png")
    message.add_attachment("a note", filename="note.txt")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="x.pdf")
    message.add_attachment(inner)
    return message.as_bytes()


def archive(parts: Mapping[str, bytes], *, like: bytes | None = None) -> bytes:
    """Return a ZIP archive of these parts, in place of or beside those of another file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        if like is not None:
            with zipfile.ZipFile(io.BytesIO(like)) as old:
                for name in old.namelist():
                    if name not in parts:
                        new.writestr(name, old.read(name))
        for name, data in parts.items():
            new.writestr(name, data)
    return out.getvalue()
