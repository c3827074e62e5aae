"""Ledger accounts: balances, and what moved each with the balance after it."""

import re
from typing import Any

from flask import request

from soulseer.admin.base import ListView
from soulseer.admin.filters import Choice, Words
from soulseer.admin.formats import link, money
from soulseer.domain.accounts import AccountKind
from soulseer.services import console_ledger, console_movements
from soulseer.services.console import LARGEST, Listed, Window
from soulseer.services.console_movements import Place

PAGE = 50
_PLACE = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,10})")


class AccountsView(ListView):
    page = "accounts"
    lead = "A balance is the sum of its entries; hot accounts of the platform keep theirs in shards."
    column_list = ("id", "kind", "owner", "balance", "floor", "created_at")
    column_labels = {"id": "Account", "created_at": "Opened"}
    column_numeric = ("balance", "floor")
    column_formatters = {
        "id": lambda view, context, row, name: link("accounts", row.id, row.id),
        "kind": lambda view, context, row, name: row.LedgerAccount.kind.replace("_", " "),
        "owner": lambda view, context, row, name: owner(row),
        "balance": lambda view, context, row, name: money(row.balance),
        "floor": lambda view, context, row, name: money(row.LedgerAccount.floor),
        "created_at": lambda view, context, row, name: row.LedgerAccount.created_at,
    }
    column_filters = (
        Choice("kind", "Kind", list(AccountKind)),
        Words("owner", "Owner", hint="handle or email"),
    )

    def rows(self, window: Window, **criteria: Any) -> Listed:
        return console_ledger.accounts(window, **criteria)

    def show(self, id: int) -> str:
        found = console_ledger.account(id)
        place = _place(request.args.get("from", ""))
        lines, older = console_movements.movements(found.LedgerAccount, found.balance, place, PAGE)
        older_url = older and self.get_url(
            ".details_view", id=id, **{"from": f"{older.entry}.{older.session}.{older.minute}"}
        )
        return self.render(
            "admin/account.html", found=found, lines=lines, older_url=older_url, first=place == Place()
        )


def owner(row: Any) -> Any:
    """Whose account it is."""
    return link("people", row.owner, row.LedgerAccount.owner_id) if row.owner else "platform"


def _place(text: str) -> Place:
    """A place in an account's movements from the address; nonsense is the newest."""
    matched = _PLACE.fullmatch(text)
    numbers = [int(part) for part in matched.groups()] if matched else []
    fits = numbers and numbers[0] <= LARGEST and numbers[1] <= LARGEST and numbers[2] < 2**31
    return Place(*numbers) if fits else Place()
