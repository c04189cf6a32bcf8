"""Numbers and dates of a spreadsheet, written as its number formats show them."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from functools import lru_cache
from typing import NamedTuple

BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    37: "#,##0 ;(#,##0)",
    38: "#,##0 ;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    48: "##0.0E+0",
}
"""The formats that files name by number alone; dates that follow the reader's country are left to the ISO form."""

_TOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|E[+-]0+|[0#?][0#?,]*(?:\.[0#?]*)?,*|\.[0#?]+|.', re.DOTALL)
_DATE_TOKEN = re.compile(
    r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|AM/PM|A/P|yyyy|yy|m+|d+|h+|s+(?:\.0+)?|.', re.IGNORECASE | re.DOTALL
)
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")
MAX_DECIMALS = 30


class _Number(NamedTuple):
    before: str
    after: str
    decimals: int
    least_digits: int
    optional: int
    """Decimals at the end that are shown only when they are not zero."""
    has_groups: bool
    scale: float
    exponent_digits: int


def shown(value: object, code: str | None) -> str:
    """Return a cell's value as people see it; without a code, or with one that is not understood, as it is.

    >>> shown(1234.5, '#,##0.00 "€"'), shown(0.125, "0.0%"), shown(-5.0, "#,##0;(#,##0)"), shown(7.0, "000")
    ('1,234.50 €', '12.5%', '(5)', '007')
    >>> shown(dt.date(2024, 2, 3), "DD.MM.YYYY"), shown(dt.date(2024, 2, 3), None), shown(0.1, None)
    ('03.02.2024', '2024-02-03', '0.1')
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(float(value), code) if code else _plain(float(value))
    if isinstance(value, dt.date | dt.time):
        return (_date(value, code) if code else None) or _iso(value)
    if isinstance(value, dt.timedelta):
        return _duration(value)
    return str(value)


def is_date_code(code: str) -> bool:
    """Say whether a format shows dates or times."""
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", code)
    return any(letter in bare.lower() for letter in "ymdhs") and "E+" not in bare


def _plain(value: float) -> str:
    if value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - what a spreadsheet holds exactly
        return str(int(value))
    return format(value, ".15g")


def _number(value: float, code: str) -> str:
    sections = _sections(code)
    section = sections[0]
    is_signed = value < 0
    if value < 0 and len(sections) > 1:
        section, is_signed = sections[1], False
    elif value == 0 and len(sections) > 2:  # noqa: PLR2004 - the third section is that of zero
        section = sections[2]
    form = _form(section)
    if form is None:
        return _plain(value)
    return ("-" if is_signed else "") + form.before + _digits(abs(value) * form.scale, form) + form.after


def _digits(value: float, form: _Number) -> str:
    if form.least_digits < 0:
        return ""
    if form.exponent_digits:
        mantissa, _, exponent = f"{value:.{form.decimals}E}".partition("E")
        return f"{mantissa}E{exponent[0]}{exponent[1:].lstrip('0').rjust(form.exponent_digits, '0')}"
    # half away from zero, as spreadsheets round: a little more than what floats lose
    text = f"{value + value * 1e-15:{',' if form.has_groups else ''}.{form.decimals}f}"
    whole, _, decimals = text.partition(".")
    kept = decimals[: form.decimals - form.optional] + decimals[form.decimals - form.optional :].rstrip("0")
    whole = "" if form.least_digits == 0 and whole == "0" else whole.rjust(form.least_digits, "0")
    return f"{whole}.{kept}" if kept else whole


@lru_cache(maxsize=1000)
def _sections(code: str) -> tuple[str, ...]:
    found, last = [""], re.findall(r'"[^"]*"|\\.|\[[^\]]*\]|.', code, re.DOTALL)
    for piece in last:
        if piece == ";":
            found.append("")
        else:
            found[-1] += piece
    return tuple(found)


@lru_cache(maxsize=1000)
def _form(section: str) -> _Number | None:
    """Take a section apart, or return None when it is General, text, a fraction, or of a condition of its own."""
    section = _CURRENCY.sub(lambda match: f'"{match.group(1)}"', section)
    if "general" in section.lower() or "@" in section or re.search(r"[0#?]\s*/|\[[<>=]", section):
        return None
    sides, digits, exponent, percents = ["", ""], "", 0, 0
    for piece in _TOKEN.findall(section):
        if piece[0] in "0#?." and piece != ".":
            digits = digits or piece
        elif piece[0] == "E" and len(piece) > 1:
            exponent = len(piece) - 2
        else:
            percents += piece == "%"
            sides[bool(digits)] += _literal(piece)
    whole, _, decimals = digits.rstrip(",").partition(".")
    return _Number(
        before=sides[0].lstrip(" "),
        after=sides[1].rstrip(" "),
        decimals=min(len(decimals), MAX_DECIMALS),
        least_digits=whole.count("0") if digits else -1,
        optional=len(decimals) - len(decimals.rstrip("#?")),
        has_groups="," in whole,
        scale=100.0**percents / 1000.0 ** (len(digits) - len(digits.rstrip(","))),
        exponent_digits=exponent,
    )


def _literal(token: str) -> str:
    if token[0] == '"':
        return token[1:-1]
    if token[0] == "\\":
        return token[1:]
    return "" if token[0] in "_*[" else token


def _date(value: dt.date | dt.time, code: str) -> str | None:
    """Write a date or a time as a code says, names in English; None for what is not understood."""
    section = _sections(code)[0]
    if not is_date_code(section) or re.search(r"\[[hms]+\]", section, re.IGNORECASE):
        return None
    tokens = _DATE_TOKEN.findall(section)
    has_half = any(token.upper() in {"AM/PM", "A/P"} for token in tokens)
    written = [_part(value, tokens, at, has_half=has_half) for at in range(len(tokens))]
    return "".join(written).strip() if all(part is not None for part in written) else None  # type: ignore[arg-type] # checked


def _part(value: dt.date | dt.time, tokens: list[str], at: int, *, has_half: bool) -> str | None:
    word = tokens[at].lower()
    if word in {"am/pm", "a/p"}:
        half = "AM" if getattr(value, "hour", 0) < 12 else "PM"  # noqa: PLR2004 - noon
        return half if len(word) > 3 else half[0]  # noqa: PLR2004 - the short form
    if word[0] not in "ymdhs":
        return _literal(tokens[at])
    if word[0] in "hs" or (word[0] == "m" and _is_minute(tokens, at)):
        return _clock(value, word, has_half=has_half)
    return None if isinstance(value, dt.time) or len(word) > 4 else _day(value, word)  # noqa: PLR2004 - longest


def _clock(value: dt.date | dt.time, word: str, *, has_half: bool) -> str:
    number = getattr(value, {"h": "hour", "m": "minute", "s": "second"}[word[0]], 0)
    return _padded((number - 1) % 12 + 1 if has_half and word[0] == "h" else number, word.partition(".")[0])


def _day(value: dt.date, word: str) -> str:
    if word[0] in "md" and len(word) > 2:  # noqa: PLR2004 - longer than two digits: a name
        name = calendar.month_name[value.month] if word[0] == "m" else calendar.day_name[value.weekday()]
        return name if len(word) > 3 else name[:3]  # noqa: PLR2004 - the short form
    number = {"y": value.year, "m": value.month, "d": value.day}[word[0]]
    return f"{number % 100:02}" if word == "yy" else _padded(number, word)


def _is_minute(tokens: list[str], at: int) -> bool:
    """Say whether an `m` means minutes: after hours, or before seconds."""
    letters = [(index, token[0].lower()) for index, token in enumerate(tokens) if token[0].lower() in "ymdhs"]
    place = next(index for index, (token, _) in enumerate(letters) if token == at)
    before = letters[place - 1][1] if place else ""
    after = letters[place + 1][1] if place + 1 < len(letters) else ""
    return before == "h" or after == "s"


def _padded(number: int, word: str) -> str:
    return f"{number:02}" if len(word) == 2 else str(number)  # noqa: PLR2004 - two digits


def _iso(value: dt.date | dt.time) -> str:
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ", timespec="seconds")
    return value.isoformat()


def _duration(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
