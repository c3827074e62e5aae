"""The route that our webhook's door is measured against: bare Flask that verifies the signature and inserts a row."""

import json
import os
from datetime import UTC, datetime

from flask import Flask, Response, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Boolean, DateTime, Identity, Integer, LargeBinary, String
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from stripe import SignatureVerificationError, WebhookSignature


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class WebhookEvent(db.Model):  # type: ignore[name-defined, misc]
    __tablename__ = "webhook_event"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    vendor: Mapped[str] = mapped_column(String)
    event_id: Mapped[str] = mapped_column(String)
    type: Mapped[str] = mapped_column(String)
    livemode: Mapped[bool] = mapped_column(Boolean)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(String)
    attempts: Mapped[int] = mapped_column(Integer)
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace(
    "postgresql://", "postgresql+psycopg://"
)
db.init_app(app)
SECRET = os.environ["STRIPE_WEBHOOK_SIGNING_SECRET"]


@app.post("/stripe/webhook/")
def receive() -> Response | dict[str, bool]:
    """Verify, one INSERT, commit."""
    payload = request.get_data()
    try:
        WebhookSignature.verify_header(
            payload.decode(), request.headers["Stripe-Signature"], SECRET, tolerance=300
        )
    except SignatureVerificationError:
        return Response(status=400)
    event, now = json.loads(payload), datetime.now(UTC)
    db.session.execute(
        insert(WebhookEvent)
        .values(
            vendor="stripe",
            event_id=event["id"],
            type=event["type"],
            livemode=event["livemode"],
            payload=payload,
            status="received",
            attempts=0,
            received_at=now,
            next_attempt_at=now,
        )
        .on_conflict_do_nothing(index_elements=["vendor", "event_id"])
    )
    db.session.commit()
    return {"received": True}
