"""signed receipts, reviews with answers, favourites, notes on people

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from migrations.support import frozen, kept

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SIGNED = ("statement", "signing_key", "signature")
STARS = range(1, 6)
COUNT_STARS = """
UPDATE reader_profile p SET stars_1 = n.one, stars_2 = n.two, stars_3 = n.three, stars_4 = n.four, stars_5 = n.five
FROM (
    SELECT reader_id, count(*) FILTER (WHERE stars = 1) AS one, count(*) FILTER (WHERE stars = 2) AS two,
           count(*) FILTER (WHERE stars = 3) AS three, count(*) FILTER (WHERE stars = 4) AS four,
           count(*) FILTER (WHERE stars = 5) AS five
    FROM review GROUP BY reader_id
) n WHERE n.reader_id = p.person_id
"""


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _key(table: str, name: str, other: str = "person", column: str = "id") -> sa.Column:
    named = sa.ForeignKey(f"{other}.{column}", name=op.f(f"fk_{table}_{name}_{other}"))
    return sa.Column(name, sa.BigInteger(), named, nullable=False)


def upgrade() -> None:
    for name in SIGNED:
        op.add_column("reading_receipt", sa.Column(name, sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_reading_receipt_signed"), "reading_receipt", "num_nulls(statement, signing_key, signature) IN (0, 3)"
    )

    for name in ("edited_at", "answered_at", "answer_edited_at"):
        op.add_column("review", _instant(name, nullable=True))
    op.add_column("review", sa.Column("answer", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_review_answer"), "review", "(answer IS NULL) = (answered_at IS NULL)")
    op.create_index("ix_review_reader_id_stars_id", "review", ["reader_id", "stars", "id"])
    op.execute(frozen("review", ("reading_session_id", "client_id", "reader_id", "created_at")))
    op.execute(kept("review"))
    for number in STARS:
        op.add_column("reader_profile", sa.Column(f"stars_{number}", sa.Integer(), server_default="0", nullable=False))
    op.execute(COUNT_STARS)

    op.create_table(
        "favourite",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _key("favourite", "person_id"),
        _key("favourite", "reader_id", "reader_profile", "person_id"),
        _instant("created_at"),
        sa.CheckConstraint("person_id <> reader_id", name=op.f("ck_favourite_not_oneself")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_favourite")),
        sa.UniqueConstraint("person_id", "reader_id", name=op.f("uq_favourite_person_id_reader_id")),
    )
    op.create_index("ix_favourite_person_id_id", "favourite", ["person_id", sa.text("id DESC")])
    op.create_index(op.f("ix_favourite_reader_id"), "favourite", ["reader_id"])

    op.create_table(
        "person_note",
        _key("person_note", "author_id"),
        _key("person_note", "about_id"),
        sa.Column("body", sa.String(), nullable=False),
        _instant("updated_at"),
        sa.CheckConstraint("char_length(body) <= 4000", name=op.f("ck_person_note_body")),
        sa.CheckConstraint("author_id <> about_id", name=op.f("ck_person_note_not_oneself")),
        sa.PrimaryKeyConstraint("author_id", "about_id", name=op.f("pk_person_note")),
    )
    op.create_index(op.f("ix_person_note_about_id"), "person_note", ["about_id"])


def downgrade() -> None:
    op.drop_table("person_note")
    op.drop_table("favourite")
    for number in STARS:
        op.drop_column("reader_profile", f"stars_{number}")
    for trigger in ("review_frozen", "review_kept"):
        op.execute(f"DROP TRIGGER {trigger} ON review")
    op.drop_index("ix_review_reader_id_stars_id", "review")
    op.drop_constraint(op.f("ck_review_answer"), "review")
    for name in ("edited_at", "answered_at", "answer_edited_at", "answer"):
        op.drop_column("review", name)
    op.drop_constraint(op.f("ck_reading_receipt_signed"), "reading_receipt")
    for name in SIGNED:
        op.drop_column("reading_receipt", name)
