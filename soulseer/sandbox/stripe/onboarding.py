"""The hosted onboarding page of Connect: `/c/connect/{link}`. A link is used once and is over after minutes."""

from typing import Any

from flask import Blueprint, redirect, render_template
from werkzeug.exceptions import NotFound

from soulseer.sandbox.stripe.connect import finish_onboarding
from soulseer.sandbox.stripe.resources.accounts import LINK_SECONDS
from soulseer.sandbox.stripe.standin import StandIn
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work


def create_onboarding_pages(stand_in: StandIn) -> Blueprint:
    """The page a reader is sent to, and what its two buttons do."""
    pages = Blueprint("onboarding", __name__, url_prefix="/c/connect")

    @pages.get("/<link_id>")
    def show(link_id: str) -> Any:
        with stand_in.work() as work:
            link, account = _opened(work, link_id)
        if account is None:
            return redirect(link["refresh_url"], 303)
        return render_template("sandbox/onboarding.html", account=account, link=link)

    @pages.post("/<link_id>/<any(finish, leave):what>")
    def submit(link_id: str, what: str) -> Any:
        with stand_in.work() as work:
            link, account = _opened(work, link_id)
            if account is not None:
                work.save(link | {"used": True})
                if what == "finish":
                    finish_onboarding(work, account)
        return redirect(link["return_url" if account is not None else "refresh_url"], 303)

    return pages


def _opened(work: Work, link_id: str) -> tuple[Document, Document | None]:
    """The link, and its account while the link may be used."""
    link = work.find("sandbox.account_link", link_id)
    if link is None:
        raise NotFound("There is no such link.")
    if link["used"] or link["created"] + LINK_SECONDS < work.now:
        return link, None
    return link, work.get("account", link["account"])
