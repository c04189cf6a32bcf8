"""Office files: ZIP archives of XML parts, opened so that neither bombs nor entities nor odd names do harm."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from lxml import etree

from shoald.adapters.document_loaders.file_kinds import HEAD_BYTES, kind_of
from shoald.adapters.document_loaders.reading import UnusableFile

MAX_PARTS = 20_000
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_XML_BYTES = 128 * 1024 * 1024
MAX_RATIO = 200
"""Unpacked to packed; more is a bomb once it is larger than `FREE_BYTES`. Office files stay under 50."""
FREE_BYTES = 16 * 1024 * 1024

RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_STRICT = "http://purl.oclc.org/ooxml/officeDocument/relationships"

# a directory that points before the file's beginning is a ValueError
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError)

Element = Any
"""An lxml element; the library has no types of its own."""


@contextmanager
def refusing_damage(name: str) -> Iterator[None]:
    """Raise `UnusableFile` where a part of an archive cannot be unpacked."""
    try:
        yield
    except _DAMAGE as error:
        raise UnusableFile(f"the file is damaged at {name!r}: {error}") from None


class Package:
    """An Office file, opened; raises `UnusableFile` for what is none, or would unpack to too much."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        file.seek(0)
        head = file.read(HEAD_BYTES)
        file.seek(0)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            what = None if head.startswith(b"PK") else kind_of(head)
            raise UnusableFile(
                f"the file is no {kind} file: it is {what or f'damaged or something else ({error})'}"
            ) from None
        self._kind = kind
        self._check_size()

    def _check_size(self) -> None:
        parts = self._zip.infolist()
        packed, unpacked = sum(part.compress_size for part in parts), sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS:
            raise UnusableFile(f"the file has {len(parts):,} parts; {MAX_PARTS:,} are allowed")
        if unpacked > MAX_UNPACKED_BYTES or (unpacked > FREE_BYTES and unpacked > MAX_RATIO * packed):
            raise UnusableFile(
                f"the file would unpack to {unpacked:,} bytes, {unpacked // max(packed, 1)} times its size; "
                f"{MAX_UNPACKED_BYTES:,} bytes and {MAX_RATIO} times are allowed"
            )
        if any(part.flag_bits & 1 for part in parts):
            raise UnusableFile("the file is protected by a password: save it anew without one")

    def names(self) -> list[str]:
        """Return the names of all parts."""
        return self._zip.namelist()

    def data(self, name: str) -> bytes | None:
        """Return a part's bytes, None when it is not there."""
        try:
            # no more is unpacked than the directory says, which was checked; a lie there fails the checksum
            with refusing_damage(name):
                return self._zip.read(name)
        except KeyError:
            return None

    def open(self, name: str) -> BinaryIO | None:
        """Open a part for reading piece by piece, with `refusing_damage`; None when it is not there."""
        try:
            with refusing_damage(name):
                return self._zip.open(name)  # type: ignore[return-value] # it is one, but for the name
        except KeyError:
            return None

    def xml(self, name: str) -> Element | None:
        """Return a part as XML, None when it is not there; entities and outside references are refused."""
        data = self.data(name)
        if data is None:
            return None
        if len(data) > MAX_XML_BYTES:
            raise UnusableFile(f"the part {name!r} has {len(data):,} bytes; {MAX_XML_BYTES:,} are allowed")
        return parse_xml(data, name)

    def required_xml(self, name: str) -> Element:
        """Return a part as XML; raises `UnusableFile` when it is not there."""
        root = self.xml(name)
        if root is None:
            raise UnusableFile(f"the file is no {self._kind} file: it has no part {name!r}")
        return root

    def main_part(self, default: str) -> str:
        """Return the name of the part that the package says is its document."""
        for kind, target in self.relations("").values():
            if kind == "officeDocument":
                return target
        return default

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """Return (kind, part) by relationship id of a part; what lies outside the file is left out."""
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
        found: dict[str, tuple[str, str]] = {}
        for relation in root if root is not None else ():
            if relation.get("TargetMode") == "External" or relation.get("Target") is None:
                continue
            target = relation.get("Target")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], path)
        return found


def parse_xml(data: bytes, name: str) -> Element:
    """Parse XML from a stranger; raises `UnusableFile`."""
    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data[:65536]:
        raise UnusableFile(f"the part {name!r} declares entities, which is not allowed")
    # comments and processing instructions are no elements of a document: their tags are no texts
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        # documents in the strict form have other namespaces for the same
        return etree.fromstring(data.replace(_STRICT.encode(), RELATIONSHIP[1:-1].encode()), parser)
    except etree.XMLSyntaxError as error:
        # the library says so when it could not get memory
        if error.code in {etree.ErrorTypes.ERR_OK, etree.ErrorTypes.ERR_NO_MEMORY} or error.msg == "unknown error":
            raise MemoryError from None
        raise UnusableFile(f"the part {name!r} is no valid XML: {error.msg}"[:400]) from None


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute by its local name, whatever its namespace."""
    found = element.get(name)
    if found is not None:
        return str(found)
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """Yield the children with these local names, or all."""
    for child in element if element is not None else ():
        if not names or local(child) in names:
            yield child


def child(element: Element | None, *path: str) -> Element | None:
    """Return the first descendant along a path of local names."""
    for name in path:
        element = next(children(element, name), None)
        if element is None:
            return None
    return element
