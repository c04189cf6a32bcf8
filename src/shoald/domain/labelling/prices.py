"""What tokens of models cost, as an installation says; nothing is known of a model that it does not name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_MILLION = Decimal(1_000_000)
_WORDS = ("input", "output")
_BEFORE_A_DATE = "-@:"


@dataclass(frozen=True, slots=True)
class Price:
    """Money for a million tokens in and out."""

    input: Decimal
    output: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return what so many tokens cost.

        >>> Price(Decimal("0.15"), Decimal("0.6")).of(1_000_000, 500_000)
        Decimal('0.45')
        """
        return (self.input * input_tokens + self.output * output_tokens) / _MILLION


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by model."""

    prices: Mapping[str, Price]

    def of(self, model: str) -> Price | None:
        """Return the price of a model: of its own name, else of the longest name that it is a dated form of.

        >>> prices = read_prices(
        ...     '{"gpt-4o": {"input": 2.5, "output": 10}, "gpt-4o-mini": {"input": 0.15, "output": 0.6}}'
        ... )
        >>> [str(price.input) if price else None for price in map(prices.of, ("gpt-4o-mini-2024-07-18", "gpt-5"))]
        ['0.15', None]
        """
        fits = [name for name in self.prices if model == name or _is_form(model, name)]
        return self.prices[max(fits, key=len)] if fits else None


def _is_form(model: str, name: str) -> bool:
    return model.startswith(name) and model[len(name)] in _BEFORE_A_DATE


def read_prices(text: str) -> PriceList:
    """Read `{"model": {"input": 0.15, "output": 0.6}, …}`, money per million tokens; empty: no prices.

    Raises `ValueError` that says what is wrong with which model.
    """
    if not text.strip():
        return PriceList({})
    try:
        given = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(  # noqa: TRY004 - a bad value of a setting
            'must be an object such as {"model": {"input": 0.15, "output": 0.6}}'
        )
    return PriceList({str(model): _price(str(model), price) for model, price in given.items()})


def _price(model: str, given: Any) -> Price:
    if not isinstance(given, Mapping) or set(given) != set(_WORDS):
        raise ValueError(f"{model}: must be an object with the numbers `input` and `output`, per million tokens")
    return Price(*(_amount(model, word, given[word]) for word in _WORDS))


def _amount(model: str, word: str, value: Any) -> Decimal:
    try:
        amount = value if isinstance(value, Decimal) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{model}: {word} must be a number from 0")
    return amount
