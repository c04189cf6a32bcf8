"""Text to the token ids of an uncased BERT vocabulary: cleaned, lower-cased, without accents, cut to known pieces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

_CACHED_WORDS = 200_000
_LONGEST_WORD = 100
_ASCII_WORD = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_ASCII_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])
# The blocks that BERT's authors call Chinese characters, each of which is a word of its own.
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class WordPieces:
    """Cuts texts into pieces of one vocabulary; safe to use from several threads."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids = {piece: number for number, piece in enumerate(vocabulary)}
        self._unknown = self._ids["[UNK]"]
        self._start = self._ids["[CLS]"]
        self._end = self._ids["[SEP]"]
        self._longest_piece = max(map(len, vocabulary))
        self._known_words: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str, *, most: int) -> list[int]:
        """Return the ids of a text between start and end mark, at most `most` in all; what is beyond is cut off."""
        ids = [self._start]
        for word in words_of(text):
            ids.extend(self._pieces(word))
            if len(ids) >= most:
                break
        del ids[most - 1 :]
        ids.append(self._end)
        return ids

    def _pieces(self, word: str) -> tuple[int, ...]:
        known = self._known_words.get(word)
        if known is None:
            known = self._cut(word)
            if len(self._known_words) >= _CACHED_WORDS:
                self._known_words.clear()
            self._known_words[word] = known
        return known

    def _cut(self, word: str) -> tuple[int, ...]:
        """Take the longest known piece from the left, again and again; a word that does not come out is unknown."""
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        found: list[int] = []
        at = 0
        while at < len(word):
            mark = "##" if at else ""
            for end in range(min(len(word), at + self._longest_piece), at, -1):
                piece = self._ids.get(mark + word[at:end])
                if piece is not None:
                    found.append(piece)
                    at = end
                    break
            else:
                return (self._unknown,)
        return tuple(found)


def words_of(text: str) -> Iterator[str]:
    """Yield the lower-case words and punctuation marks of a text.

    >>> list(words_of("Olá, wörld: 漢字!"))
    ['ola', ',', 'world', ':', '漢', '字', '!']
    """
    if text.isascii():
        return iter(_ASCII_WORD.findall(text.translate(_ASCII_CONTROLS).lower()))
    return _split_marks(_without_accents(_cleaned(text).lower()))


def _cleaned(text: str) -> str:
    return "".join(_clean_character(character) for character in text)


def _clean_character(character: str) -> str:
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if character in "\0\ufffd" or unicodedata.category(character)[0] == "C":
        return ""
    code = ord(character)
    if any(first <= code <= last for first, last in _IDEOGRAPHS):
        return f" {character} "
    return character


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def _split_marks(text: str) -> Iterator[str]:
    for word in text.split():
        start = 0
        for at, character in enumerate(word):
            if _is_mark(character):
                if start < at:
                    yield word[start:at]
                yield character
                start = at + 1
        if start < len(word):
            yield word[start:]


def _is_mark(character: str) -> bool:
    if character.isascii():
        return not character.isalnum()
    return unicodedata.category(character)[0] == "P"
