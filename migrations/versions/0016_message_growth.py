"""message growth: read marks, contact details, the pause for a crisis

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CAUSES = "'client_left', 'reader_left', 'client_dropped', 'reader_dropped', 'low_balance', 'platform'"


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE reading_mark (
    reading_session_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_reading_mark PRIMARY KEY (reading_session_id, person_id),
    CONSTRAINT ck_reading_mark_numbers CHECK (delivered >= read AND read >= 0),
    CONSTRAINT fk_reading_mark_reading_session_id_reading_session
        FOREIGN KEY(reading_session_id) REFERENCES reading_session (id),
    CONSTRAINT fk_reading_mark_person_id_person FOREIGN KEY(person_id) REFERENCES person (id)
);
ALTER TABLE reading_message ADD COLUMN contact_kinds VARCHAR
"""
    )
    pause_causes(f"{CAUSES}, 'crisis'")


def downgrade() -> None:
    pause_causes(CAUSES)
    op.execute("ALTER TABLE reading_message DROP COLUMN contact_kinds; DROP TABLE reading_mark")


def pause_causes(causes: str) -> None:
    # NOT VALID and then VALIDATE: readings go on meanwhile.
    op.execute(
        f"""
ALTER TABLE reading_session DROP CONSTRAINT ck_reading_session_pause_cause,
    ADD CONSTRAINT ck_reading_session_pause_cause CHECK (pause_cause IS NULL OR pause_cause IN ({causes})) NOT VALID;
ALTER TABLE reading_session VALIDATE CONSTRAINT ck_reading_session_pause_cause
"""
    )
