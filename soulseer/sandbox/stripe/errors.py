"""Errors in Stripe's own shape (https://docs.stripe.com/api/errors)."""

from typing import Any


class ApiError(Exception):
    """An answer other than 200; `executed` says whether the endpoint had begun, so that its answer is kept for replay;
    `effects_stay` that what it has done is not undone by it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
        effects_stay: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.executed = executed
        self.effects_stay = effects_stay
        fields = {"code": code, "message": message, "param": param, "type": type, **more}
        self.fields = {name: value for name, value in fields.items() if value is not None}

    def document(self, request_id: str) -> dict[str, Any]:
        """The JSON body."""
        error = dict(self.fields)
        if self.code:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def no_such(noun: str, identifier: str, *, param: str = "id", in_path: bool = True) -> ApiError:
    """404 where the address names a missing object, 400 where a parameter does."""
    return ApiError(
        f"No such {noun}: '{identifier}'",
        status=404 if in_path else 400,
        code="resource_missing",
        param=param,
    )
