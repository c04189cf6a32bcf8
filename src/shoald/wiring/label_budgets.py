"""What names may cost, put together from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.application.label_budget import BudgetRules, LabelBudgets
from shoald.application.ports.label_ledger import Caps
from shoald.domain.labelling.prices import read_prices

if TYPE_CHECKING:
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.settings import Settings


def label_budgets(settings: Settings, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> LabelBudgets:
    """Return what opens the budgets of runs."""
    rules = BudgetRules(
        prices=read_prices(settings.label_prices),
        run=Caps(tokens=settings.label_run_tokens or None, money=settings.label_run_money or None),
        namespace=Caps(tokens=settings.label_namespace_tokens or None, money=settings.label_namespace_money or None),
        currency=settings.label_currency,
    )
    return LabelBudgets(open_unit_of_work=open_unit_of_work, clock=clock, rules=rules)
