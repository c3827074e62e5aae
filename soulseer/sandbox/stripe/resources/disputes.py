"""`/v1/disputes`, and `/v1/files` for their evidence."""

from typing import Any

from flask import request

from soulseer.sandbox.stripe.api import Api
from soulseer.sandbox.stripe.disputes import accept, answer
from soulseer.sandbox.stripe.errors import ApiError
from soulseer.sandbox.stripe.listing import LIST_PARAMETERS, list_objects
from soulseer.sandbox.stripe.parameters import Parameters
from soulseer.sandbox.stripe.work import Work, new_id

_FILE_TYPES = {b"%PDF": "pdf", b"\x89PNG": "png", b"\xff\xd8\xff": "jpg"}


def register(api: Api) -> None:
    @api.get("/disputes/<identifier>")
    def retrieve(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("dispute", identifier)

    @api.get("/disputes")
    def index(work: Work, parameters: Parameters) -> dict[str, Any]:
        filters = ("charge", "payment_intent")
        parameters.allow_only(*filters, *LIST_PARAMETERS)
        return list_objects(work, parameters, "dispute", "/v1/disputes", equal=filters)

    @api.post("/disputes/<identifier>")
    def update(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return answer(work, work.get("dispute", identifier), parameters)

    @api.post("/disputes/<identifier>/close")
    def close(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return accept(work, work.get("dispute", identifier))

    @api.post("/files")
    def upload(work: Work, parameters: Parameters) -> dict[str, Any]:
        parameters.allow_only("purpose", "expand")
        if parameters.required_text("purpose") != "dispute_evidence":
            raise ApiError("The sandbox takes files for dispute_evidence only.", param="purpose")
        sent = request.files.get("file")
        if sent is None:
            raise ApiError("Missing required param: file.", code="parameter_missing", param="file")
        content = sent.read()
        kind = next((name for start, name in _FILE_TYPES.items() if content.startswith(start)), None)
        if kind is None:
            raise ApiError("Evidence must be a PDF, JPEG or PNG.", param="file")
        return work.save(
            {
                "id": new_id("file"),
                "object": "file",
                "created": work.now,
                "expires_at": None,
                "filename": sent.filename,
                "links": {
                    "object": "list",
                    "data": [],
                    "has_more": False,
                    "url": "/v1/file_links",
                },
                "purpose": "dispute_evidence",
                "size": len(content),
                "title": None,
                "type": kind,
                "url": None,
            }
        )

    @api.get("/files/<identifier>")
    def file(work: Work, parameters: Parameters, identifier: str) -> dict[str, Any]:
        return work.get("file", identifier)
