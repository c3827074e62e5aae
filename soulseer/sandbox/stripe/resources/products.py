"""`/v1/products` and `/v1/prices`."""

from typing import Any

from soulseer.sandbox.stripe import store
from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, as_list, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.store import Document
from soulseer.sandbox.stripe.work import Work, new_id


def register(api: Api) -> None:
    @api.post("/products")
    def create(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("id", "name", "description", "active", "metadata", "expand")
        identifier = parameters.text("id") or new_id("prod", 14)
        if work.find("product", identifier):
            raise ApiError(
                f"Product already exists with id: {identifier}", code="resource_already_exists", param="id"
            )
        product = {
            "id": identifier, "object": "product", "active": parameters.flag("active") is not False, "created": work.now,
            "default_price": None, "description": parameters.text("description"), "images": [], "livemode": False,
            "metadata": parameters.metadata(), "name": parameters.required_text("name"), "type": "service",
            "updated": work.now, "url": None,
        }  # fmt: skip
        work.save(product)
        work.announce("product.created", product)
        return product

    @api.get("/products/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("product", identifier)

    @api.post("/products/<identifier>")
    def update(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only("name", "description", "active", "metadata", "expand")
        product = work.get("product", identifier)
        active = parameters.flag("active")
        product |= {
            "name": parameters.text("name") or product["name"],
            "active": product["active"] if active is None else active,
            "metadata": parameters.metadata(product["metadata"]),
            "updated": work.now,
        }
        work.save(product)
        work.announce("product.updated", product)
        return product

    @api.get("/products")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only(*LIST_PARAMETERS)
        return list_objects(work, parameters, "product", "/v1/products")

    _register_prices(api)


def _register_prices(api: Api) -> None:
    @api.post("/prices")
    def create_price(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only(
            "product", "unit_amount", "currency", "recurring", "lookup_key", "transfer_lookup_key", "metadata", "nickname",
            "active", "expand",
        )  # fmt: skip
        product = work.get("product", parameters.required_text("product"), param="product", in_path=False)
        recurring = parameters.level("recurring")
        if recurring is not None:
            recurring.allow_only("interval")
            recurring.required_text("interval")
        parameters.required_text("unit_amount")
        amount = parameters.whole("unit_amount", most=99_999_999)
        if parameters.required_text("currency").lower() != "usd":
            raise ApiError("Invalid currency. The sandbox knows usd.", param="currency")
        price: Document = {
            "id": new_id("price"), "object": "price", "active": True, "billing_scheme": "per_unit", "created": work.now,
            "currency": "usd", "livemode": False, "lookup_key": None, "metadata": parameters.metadata(),
            "nickname": parameters.text("nickname"), "product": product["id"],
            "recurring": {"interval": recurring.choice("interval", ("month", "year")), "interval_count": 1,
                          "meter": None, "trial_period_days": None, "usage_type": "licensed"} if recurring else None,
            "tax_behavior": "unspecified", "tiers_mode": None, "transform_quantity": None,
            "type": "recurring" if recurring else "one_time", "unit_amount": amount, "unit_amount_decimal": str(amount),
        }  # fmt: skip
        _take_key(work, price, parameters)
        work.save(price)
        work.announce("price.created", price)
        return price

    @api.get("/prices/<identifier>")
    def retrieve_price(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("price", identifier)

    @api.post("/prices/<identifier>")
    def update_price(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        parameters.allow_only("active", "lookup_key", "transfer_lookup_key", "metadata", "nickname", "expand")
        price = work.get("price", identifier)
        active = parameters.flag("active")
        price |= {
            "active": price["active"] if active is None else active,
            "metadata": parameters.metadata(price["metadata"]),
        }
        _take_key(work, price, parameters)
        work.save(price)
        work.announce("price.updated", price)
        return price

    @api.get("/prices")
    def list_prices(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("product", "active", "lookup_keys", *LIST_PARAMETERS)
        active, product, keys = (
            parameters.flag("active"),
            parameters.text("product"),
            parameters.texts("lookup_keys"),
        )
        # JSON's true is SQLite's 1.
        wanted: dict[str, Any] = {} if active is None else {"active": int(active)}
        documents, more = store.page(
            work.connection,
            "price",
            limit=parameters.whole("limit", least=1, most=100) or 10,
            after=parameters.text("starting_after"),
            equal=wanted | ({"product": product} if product else {}),
            one_of={"lookup_key": keys} if keys else None,
        )
        return as_list(documents, "/v1/prices", has_more=more)


def _take_key(work: Work, price: Document, parameters: Parameters) -> None:
    """Give the price its lookup key; the price that has it now must let go, and only does where it is told to."""
    wanted = parameters.text("lookup_key")
    if wanted is None:
        return
    holders, _ = store.page(work.connection, "price", limit=1, equal={"lookup_key": wanted})
    for holder in holders:
        if holder["id"] == price["id"]:
            continue
        if not parameters.flag("transfer_lookup_key"):
            raise ApiError(f"A price with lookup key `{wanted}` already exists.", param="lookup_key")
        work.save(holder | {"lookup_key": None})
    price["lookup_key"] = wanted
