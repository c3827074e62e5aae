"""tables

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table('person',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('issuer', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('email', sa.String(), nullable=True),
    sa.Column('email_verified', sa.Boolean(), nullable=False),
    sa.Column('handle', sa.String(), nullable=False),
    sa.Column('time_zone', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('suspended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('suspended_reason', sa.String(), nullable=True),
    sa.CheckConstraint("handle ~ '^[A-Za-z0-9][A-Za-z0-9_-]{1,38}$'", name=op.f('ck_person_handle')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person')),
    sa.UniqueConstraint('issuer', 'subject', name=op.f('uq_person_issuer_subject'))
    )
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.create_index('ix_person_email_lower', [sa.literal_column('lower(email)')], unique=False)
        batch_op.create_index('uq_person_handle_lower', [sa.literal_column('lower(handle)')], unique=True)

    op.create_table('reading_minute',
    sa.Column('reading_session_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('charged_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('job_run_id', sa.BigInteger(), nullable=True),
    sa.Column('minute', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('amount', sa.Integer(), nullable=False),
    sa.Column('reader_part', sa.Integer(), nullable=False),
    sa.Column('platform_part', sa.Integer(), nullable=False),
    sa.CheckConstraint('minute > 0 AND amount > 0 AND reader_part >= 0 AND platform_part >= 0 AND amount = reader_part + platform_part', name=op.f('ck_reading_minute_balanced')),
    sa.PrimaryKeyConstraint('reading_session_id', 'minute', name=op.f('pk_reading_minute'))
    )
    op.create_table('webhook_event',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('vendor', sa.String(), nullable=False),
    sa.Column('event_id', sa.String(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('livemode', sa.Boolean(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('processed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('error', sa.String(), nullable=True),
    sa.CheckConstraint("status IN ('received', 'processed', 'ignored', 'quarantined', 'failed')", name=op.f('ck_webhook_event_status')),
    sa.CheckConstraint("vendor IN ('stripe', 'agora')", name=op.f('ck_webhook_event_vendor')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_event')),
    sa.UniqueConstraint('vendor', 'event_id', name=op.f('uq_webhook_event_vendor_event_id'))
    )
    with op.batch_alter_table('webhook_event', schema=None) as batch_op:
        batch_op.create_index('ix_webhook_event_due', ['next_attempt_at'], unique=False, postgresql_where=sa.text("status IN ('received', 'failed')"))

    op.create_table('audit_entry',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('action', sa.String(), nullable=False),
    sa.Column('object_type', sa.String(), nullable=False),
    sa.Column('object_id', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('request_id', sa.String(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['person.id'], name=op.f('fk_audit_entry_actor_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.create_index('ix_audit_entry_actor_id', ['actor_id', sa.literal_column('id DESC')], unique=False)
        batch_op.create_index('ix_audit_entry_object', ['object_type', 'object_id'], unique=False)

    op.create_table('block',
    sa.Column('blocker_id', sa.BigInteger(), nullable=False),
    sa.Column('blocked_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('blocker_id <> blocked_id', name=op.f('ck_block_not_oneself')),
    sa.ForeignKeyConstraint(['blocked_id'], ['person.id'], name=op.f('fk_block_blocked_id_person')),
    sa.ForeignKeyConstraint(['blocker_id'], ['person.id'], name=op.f('fk_block_blocker_id_person')),
    sa.PrimaryKeyConstraint('blocker_id', 'blocked_id', name=op.f('pk_block'))
    )
    with op.batch_alter_table('block', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_block_blocked_id'), ['blocked_id'], unique=False)

    op.create_table('idempotency_record',
    sa.Column('person_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('request_hash', sa.String(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('answer', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_idempotency_record_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', 'key', name=op.f('pk_idempotency_record'))
    )
    with op.batch_alter_table('idempotency_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_idempotency_record_created_at'), ['created_at'], unique=False)

    op.create_table('job_run',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('job', sa.String(), nullable=False),
    sa.Column('slot', sa.String(), nullable=True),
    sa.Column('triggered_by', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('arguments', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('dry_run', sa.Boolean(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('counts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('error', sa.String(), nullable=True),
    sa.CheckConstraint("(outcome = 'running') = (finished_at IS NULL)", name=op.f('ck_job_run_finished')),
    sa.CheckConstraint("outcome IN ('running', 'succeeded', 'failed')", name=op.f('ck_job_run_outcome')),
    sa.ForeignKeyConstraint(['triggered_by'], ['person.id'], name=op.f('fk_job_run_triggered_by_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job_run'))
    )
    with op.batch_alter_table('job_run', schema=None) as batch_op:
        batch_op.create_index('ix_job_run_job_id', ['job', sa.literal_column('id DESC')], unique=False)
        batch_op.create_index('uq_job_run_job_slot', ['job', 'slot'], unique=True, postgresql_where=sa.text('slot IS NOT NULL'))

    op.create_table('ledger_account',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('owner_id', sa.BigInteger(), nullable=True),
    sa.Column('balance', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('floor', sa.BigInteger(), nullable=True),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('currency', sa.String(), nullable=False),
    sa.Column('hot', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('client_wallet', 'client_receivable', 'client_promotional_credit', 'reader_earnings_pending', 'reader_earnings_available', 'reader_receivable', 'platform_revenue', 'platform_promotions', 'processor_fees', 'stripe_clearing', 'payouts_in_transit')", name=op.f('ck_ledger_account_kind')),
    sa.CheckConstraint('floor IS NULL OR balance >= floor', name=op.f('ck_ledger_account_floor')),
    sa.ForeignKeyConstraint(['owner_id'], ['person.id'], name=op.f('fk_ledger_account_owner_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_account')),
    sa.UniqueConstraint('owner_id', 'kind', 'currency', name=op.f('uq_ledger_account_owner_id_kind_currency'), postgresql_nulls_not_distinct=True),
    postgresql_with={'fillfactor': '50'}
    )
    op.create_table('login',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('person_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id_token', sa.String(), nullable=True),
    sa.Column('address', sa.String(), nullable=True),
    sa.Column('user_agent', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_login_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_login'))
    )
    with op.batch_alter_table('login', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_login_person_id'), ['person_id'], unique=False)

    op.create_table('person_role',
    sa.Column('person_id', sa.BigInteger(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('granted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("role IN ('client', 'reader', 'support', 'moderator', 'finance', 'ops', 'admin')", name=op.f('ck_person_role_role')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_person_role_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', 'role', name=op.f('pk_person_role'))
    )
    op.create_table('reader_profile',
    sa.Column('person_id', sa.BigInteger(), nullable=False),
    sa.Column('slug', sa.String(), nullable=False),
    sa.Column('display_name', sa.String(), nullable=False),
    sa.Column('headline', sa.String(), nullable=False),
    sa.Column('specialties', sa.String(), nullable=False),
    sa.Column('biography', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('listed', sa.Boolean(), nullable=False),
    sa.Column('online', sa.Boolean(), nullable=False),
    sa.Column('rating_sum', sa.Integer(), nullable=False),
    sa.Column('rating_count', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("NOT listed OR status = 'verified'", name=op.f('ck_reader_profile_listed_when_verified')),
    sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'", name=op.f('ck_reader_profile_slug')),
    sa.CheckConstraint("status IN ('applied', 'verified', 'rejected', 'suspended')", name=op.f('ck_reader_profile_status')),
    sa.CheckConstraint('rating_sum >= rating_count AND rating_sum <= 5 * rating_count', name=op.f('ck_reader_profile_rating')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_reader_profile_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', name=op.f('pk_reader_profile')),
    sa.UniqueConstraint('slug', name=op.f('uq_reader_profile_slug'))
    )
    with op.batch_alter_table('reader_profile', schema=None) as batch_op:
        batch_op.create_index('ix_reader_profile_browse', ['online', 'person_id'], unique=False, postgresql_where=sa.text('listed'))
        batch_op.create_index('ix_reader_profile_search', [sa.literal_column("(display_name || ' ' || headline || ' ' || specialties) gin_trgm_ops")], unique=False, postgresql_using='gin')

    op.create_table('ledger_shard',
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('shard', sa.SmallInteger(), nullable=False),
    sa.Column('balance', sa.BigInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['ledger_account.id'], name=op.f('fk_ledger_shard_account_id_ledger_account')),
    sa.PrimaryKeyConstraint('account_id', 'shard', name=op.f('pk_ledger_shard')),
    postgresql_with={'fillfactor': '50'}
    )
    op.create_table('reader_rate',
    sa.Column('reader_id', sa.BigInteger(), nullable=False),
    sa.Column('modality', sa.String(), nullable=False),
    sa.Column('rate', sa.BigInteger(), nullable=False),
    sa.Column('offered', sa.Boolean(), nullable=False),
    sa.CheckConstraint("modality IN ('text', 'voice', 'video')", name=op.f('ck_reader_rate_modality')),
    sa.CheckConstraint('rate BETWEEN 1 AND 100000', name=op.f('ck_reader_rate_rate')),
    sa.ForeignKeyConstraint(['reader_id'], ['reader_profile.person_id'], name=op.f('fk_reader_rate_reader_id_reader_profile')),
    sa.PrimaryKeyConstraint('reader_id', 'modality', name=op.f('pk_reader_rate'))
    )
    with op.batch_alter_table('reader_rate', schema=None) as batch_op:
        batch_op.create_index('ix_reader_rate_modality_rate', ['modality', 'rate'], unique=False, postgresql_where=sa.text('offered'))

    op.create_table('reading_session',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('client_id', sa.BigInteger(), nullable=False),
    sa.Column('reader_id', sa.BigInteger(), nullable=False),
    sa.Column('client_account_id', sa.BigInteger(), nullable=False),
    sa.Column('reader_account_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ring_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('client_joined_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reader_joined_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('activated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('active_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('covered_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('minutes_billed', sa.Integer(), nullable=False),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('grace_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finalized_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('active_microseconds', sa.BigInteger(), nullable=False),
    sa.Column('kept_microseconds', sa.BigInteger(), nullable=False),
    sa.Column('rate', sa.Integer(), nullable=False),
    sa.Column('reader_rate', sa.Integer(), nullable=False),
    sa.Column('credit', sa.Integer(), nullable=False),
    sa.Column('minimum_minutes', sa.SmallInteger(), nullable=False),
    sa.Column('reconnects', sa.SmallInteger(), nullable=False),
    sa.Column('reader_share', sa.Numeric(precision=5, scale=4), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('modality', sa.String(), nullable=False),
    sa.Column('pause_cause', sa.String(), nullable=True),
    sa.Column('end_reason', sa.String(), nullable=True),
    sa.Column('channel', sa.String(), nullable=False),
    sa.Column('currency', sa.String(), nullable=False),
    sa.CheckConstraint("(state = 'active') = (active_since IS NOT NULL) AND (state <> 'active' OR (paid_until IS NOT NULL AND covered_until IS NOT NULL))", name=op.f('ck_reading_session_active')),
    sa.CheckConstraint("(state = 'finalized') = (finalized_at IS NOT NULL)", name=op.f('ck_reading_session_finalized')),
    sa.CheckConstraint("(state IN ('ended', 'finalized')) = (ended_at IS NOT NULL AND end_reason IS NOT NULL)", name=op.f('ck_reading_session_ended')),
    sa.CheckConstraint("end_reason IS NULL OR end_reason IN ('client_ended', 'reader_ended', 'staff_ended', 'system_ended', 'no_answer', 'grace_over', 'too_many_reconnects')", name=op.f('ck_reading_session_end_reason')),
    sa.CheckConstraint("modality IN ('text', 'voice', 'video')", name=op.f('ck_reading_session_modality')),
    sa.CheckConstraint("pause_cause IS NULL OR pause_cause IN ('client_left', 'reader_left', 'client_dropped', 'reader_dropped', 'low_balance', 'platform')", name=op.f('ck_reading_session_pause_cause')),
    sa.CheckConstraint("state IN ('created', 'waiting', 'active', 'paused', 'reconnecting', 'ended', 'finalized')", name=op.f('ck_reading_session_state')),
    sa.CheckConstraint("state NOT IN ('paused', 'reconnecting') OR (grace_until IS NOT NULL AND pause_cause IS NOT NULL)", name=op.f('ck_reading_session_paused')),
    sa.CheckConstraint('client_id <> reader_id', name=op.f('ck_reading_session_not_oneself')),
    sa.CheckConstraint('minutes_billed >= 0 AND active_microseconds >= 0 AND kept_microseconds >= 0 AND reconnects >= 0', name=op.f('ck_reading_session_counts')),
    sa.CheckConstraint('rate > 0 AND reader_rate >= 0 AND reader_rate <= rate', name=op.f('ck_reading_session_rate')),
    sa.CheckConstraint('reader_share BETWEEN 0 AND 1', name=op.f('ck_reading_session_reader_share')),
    sa.ForeignKeyConstraint(['client_account_id'], ['ledger_account.id'], name=op.f('fk_reading_session_client_account_id_ledger_account')),
    sa.ForeignKeyConstraint(['client_id'], ['person.id'], name=op.f('fk_reading_session_client_id_person')),
    sa.ForeignKeyConstraint(['reader_account_id'], ['ledger_account.id'], name=op.f('fk_reading_session_reader_account_id_ledger_account')),
    sa.ForeignKeyConstraint(['reader_id'], ['reader_profile.person_id'], name=op.f('fk_reading_session_reader_id_reader_profile')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reading_session')),
    sa.UniqueConstraint('channel', name=op.f('uq_reading_session_channel')),
    postgresql_with={'fillfactor': '50'}
    )
    with op.batch_alter_table('reading_session', schema=None) as batch_op:
        batch_op.create_index('ix_reading_session_active', ['id'], unique=False, postgresql_where=sa.text("state = 'active'"))
        batch_op.create_index('ix_reading_session_client_id_id', ['client_id', sa.literal_column('id DESC')], unique=False)
        batch_op.create_index('ix_reading_session_ended', ['ended_at'], unique=False, postgresql_where=sa.text("state = 'ended'"))
        batch_op.create_index('ix_reading_session_grace', ['grace_until'], unique=False, postgresql_where=sa.text("state IN ('paused', 'reconnecting')"))
        batch_op.create_index('ix_reading_session_reader_id_id', ['reader_id', sa.literal_column('id DESC')], unique=False)
        batch_op.create_index('ix_reading_session_waiting', ['ring_until'], unique=False, postgresql_where=sa.text("state IN ('created', 'waiting')"))

    op.create_table('top_up',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('person_id', sa.BigInteger(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('stripe_checkout_session_id', sa.String(), nullable=True),
    sa.Column('stripe_payment_intent_id', sa.String(), nullable=True),
    sa.Column('checkout_url', sa.String(), nullable=True),
    sa.Column('return_path', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name=op.f('ck_top_up_paid')),
    sa.CheckConstraint("state IN ('created', 'open', 'paid', 'failed', 'expired')", name=op.f('ck_top_up_state')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_top_up_amount')),
    sa.ForeignKeyConstraint(['account_id'], ['ledger_account.id'], name=op.f('fk_top_up_account_id_ledger_account')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_top_up_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_top_up')),
    sa.UniqueConstraint('stripe_checkout_session_id', name=op.f('uq_top_up_stripe_checkout_session_id')),
    sa.UniqueConstraint('stripe_payment_intent_id', name=op.f('uq_top_up_stripe_payment_intent_id'))
    )
    with op.batch_alter_table('top_up', schema=None) as batch_op:
        batch_op.create_index('ix_top_up_created', ['created_at'], unique=False, postgresql_where=sa.text("state IN ('created', 'open')"))
        batch_op.create_index('ix_top_up_person_id_id', ['person_id', sa.literal_column('id DESC')], unique=False)

    op.create_table('ledger_alert',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('reading_session_id', sa.BigInteger(), nullable=True),
    sa.Column('detail', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_by', sa.BigInteger(), nullable=True),
    sa.Column('resolution', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_ledger_alert_reading_session_id_reading_session')),
    sa.ForeignKeyConstraint(['resolved_by'], ['person.id'], name=op.f('fk_ledger_alert_resolved_by_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_alert'))
    )
    with op.batch_alter_table('ledger_alert', schema=None) as batch_op:
        batch_op.create_index('uq_ledger_alert_open', ['kind', 'reading_session_id'], unique=True, postgresql_where=sa.text('resolved_at IS NULL'), postgresql_nulls_not_distinct=True)

    op.create_table('ledger_transaction',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('idempotency_key', sa.String(), nullable=False),
    sa.Column('reading_session_id', sa.BigInteger(), nullable=True),
    sa.Column('stripe_reference', sa.String(), nullable=True),
    sa.Column('reverses_id', sa.BigInteger(), nullable=True),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('memo', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("idempotency_key !~ '^reading:[0-9]+:minute:'", name=op.f('ck_ledger_transaction_not_a_minute')),
    sa.CheckConstraint("kind IN ('top_up', 'fair_credit', 'promotion', 'adjustment', 'booking', 'booking_refund', 'gift', 'paid_reply', 'shop_order', 'subscription', 'tip', 'refund_to_wallet', 'refund_to_card', 'chargeback', 'chargeback_won', 'earnings_release', 'payout', 'payout_failed')", name=op.f('ck_ledger_transaction_kind')),
    sa.ForeignKeyConstraint(['actor_id'], ['person.id'], name=op.f('fk_ledger_transaction_actor_id_person')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_ledger_transaction_reading_session_id_reading_session')),
    sa.ForeignKeyConstraint(['reverses_id'], ['ledger_transaction.id'], name=op.f('fk_ledger_transaction_reverses_id_ledger_transaction')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_transaction')),
    sa.UniqueConstraint('idempotency_key', name=op.f('uq_ledger_transaction_idempotency_key'))
    )
    with op.batch_alter_table('ledger_transaction', schema=None) as batch_op:
        batch_op.create_index('ix_ledger_transaction_reading_session_id', ['reading_session_id'], unique=False, postgresql_where=sa.text('reading_session_id IS NOT NULL'))
        batch_op.create_index('ix_ledger_transaction_reverses_id', ['reverses_id'], unique=False, postgresql_where=sa.text('reverses_id IS NOT NULL'))
        batch_op.create_index('ix_ledger_transaction_stripe_reference', ['stripe_reference'], unique=False, postgresql_where=sa.text('stripe_reference IS NOT NULL'))

    op.create_table('live_participant',
    sa.Column('person_id', sa.BigInteger(), nullable=False),
    sa.Column('reading_session_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_live_participant_person_id_person')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_live_participant_reading_session_id_reading_session')),
    sa.PrimaryKeyConstraint('person_id', name=op.f('pk_live_participant'))
    )
    with op.batch_alter_table('live_participant', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_live_participant_reading_session_id'), ['reading_session_id'], unique=False)

    op.create_table('reading_message',
    sa.Column('reading_session_id', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('sender_id', sa.BigInteger(), nullable=False),
    sa.Column('client_key', sa.Uuid(), nullable=False),
    sa.Column('body', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('char_length(body) BETWEEN 1 AND 4000', name=op.f('ck_reading_message_body')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_reading_message_reading_session_id_reading_session')),
    sa.ForeignKeyConstraint(['sender_id'], ['person.id'], name=op.f('fk_reading_message_sender_id_person')),
    sa.PrimaryKeyConstraint('reading_session_id', 'number', name=op.f('pk_reading_message')),
    sa.UniqueConstraint('reading_session_id', 'sender_id', 'client_key', name=op.f('uq_reading_message_reading_session_id_sender_id_client_key'))
    )
    op.create_table('reading_note',
    sa.Column('reading_session_id', sa.BigInteger(), nullable=False),
    sa.Column('author_id', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.String(), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('char_length(body) <= 4000', name=op.f('ck_reading_note_body')),
    sa.ForeignKeyConstraint(['author_id'], ['person.id'], name=op.f('fk_reading_note_author_id_person')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_reading_note_reading_session_id_reading_session')),
    sa.PrimaryKeyConstraint('reading_session_id', 'author_id', name=op.f('pk_reading_note'))
    )
    op.create_table('reading_receipt',
    sa.Column('reading_session_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.String(), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('active_microseconds', sa.BigInteger(), nullable=False),
    sa.Column('charged', sa.BigInteger(), nullable=False),
    sa.Column('credited', sa.BigInteger(), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('reader_part', sa.BigInteger(), nullable=False),
    sa.Column('platform_part', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(), nullable=False),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('charged >= 0 AND credited >= 0 AND total = charged - credited AND total = reader_part + platform_part AND minutes >= 0', name=op.f('ck_reading_receipt_balanced')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_reading_receipt_reading_session_id_reading_session')),
    sa.PrimaryKeyConstraint('reading_session_id', name=op.f('pk_reading_receipt')),
    sa.UniqueConstraint('code', name=op.f('uq_reading_receipt_code'))
    )
    op.create_table('reading_session_event',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('reading_session_id', sa.BigInteger(), nullable=False),
    sa.Column('effective_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('actor_role', sa.String(), nullable=False),
    sa.Column('action', sa.String(), nullable=False),
    sa.Column('from_state', sa.String(), nullable=True),
    sa.Column('to_state', sa.String(), nullable=False),
    sa.Column('cause', sa.String(), nullable=True),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.CheckConstraint("action IN ('request', 'open', 'join', 'activate', 'leave', 'drop', 'low_balance', 'reconnect', 'resume', 'end', 'no_answer', 'expire', 'finalize')", name=op.f('ck_reading_session_event_action')),
    sa.CheckConstraint("actor_role IN ('client', 'reader', 'staff', 'system')", name=op.f('ck_reading_session_event_actor_role')),
    sa.ForeignKeyConstraint(['actor_id'], ['person.id'], name=op.f('fk_reading_session_event_actor_id_person')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_reading_session_event_reading_session_id_reading_session')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reading_session_event'))
    )
    with op.batch_alter_table('reading_session_event', schema=None) as batch_op:
        batch_op.create_index('ix_reading_session_event_reading_session_id_id', ['reading_session_id', 'id'], unique=False)

    op.create_table('review',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('reading_session_id', sa.BigInteger(), nullable=False),
    sa.Column('client_id', sa.BigInteger(), nullable=False),
    sa.Column('reader_id', sa.BigInteger(), nullable=False),
    sa.Column('stars', sa.Integer(), nullable=False),
    sa.Column('body', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('stars BETWEEN 1 AND 5', name=op.f('ck_review_stars')),
    sa.ForeignKeyConstraint(['client_id'], ['person.id'], name=op.f('fk_review_client_id_person')),
    sa.ForeignKeyConstraint(['reader_id'], ['reader_profile.person_id'], name=op.f('fk_review_reader_id_reader_profile')),
    sa.ForeignKeyConstraint(['reading_session_id'], ['reading_session.id'], name=op.f('fk_review_reading_session_id_reading_session')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_review')),
    sa.UniqueConstraint('reading_session_id', name=op.f('uq_review_reading_session_id'))
    )
    with op.batch_alter_table('review', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_review_client_id'), ['client_id'], unique=False)
        batch_op.create_index('ix_review_reader_id_id', ['reader_id', sa.literal_column('id DESC')], unique=False)

    op.create_table('ledger_entry',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('transaction_id', sa.BigInteger(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(), nullable=False),
    sa.CheckConstraint('amount <> 0', name=op.f('ck_ledger_entry_amount')),
    sa.ForeignKeyConstraint(['account_id'], ['ledger_account.id'], name=op.f('fk_ledger_entry_account_id_ledger_account')),
    sa.ForeignKeyConstraint(['transaction_id'], ['ledger_transaction.id'], name=op.f('fk_ledger_entry_transaction_id_ledger_transaction')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_entry'))
    )
    with op.batch_alter_table('ledger_entry', schema=None) as batch_op:
        batch_op.create_index('ix_ledger_entry_account_id_id', ['account_id', sa.literal_column('id DESC')], unique=False)
        batch_op.create_index('ix_ledger_entry_transaction_id', ['transaction_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('ledger_entry', schema=None) as batch_op:
        batch_op.drop_index('ix_ledger_entry_transaction_id')
        batch_op.drop_index('ix_ledger_entry_account_id_id')

    op.drop_table('ledger_entry')
    with op.batch_alter_table('review', schema=None) as batch_op:
        batch_op.drop_index('ix_review_reader_id_id')
        batch_op.drop_index(batch_op.f('ix_review_client_id'))

    op.drop_table('review')
    with op.batch_alter_table('reading_session_event', schema=None) as batch_op:
        batch_op.drop_index('ix_reading_session_event_reading_session_id_id')

    op.drop_table('reading_session_event')
    op.drop_table('reading_receipt')
    op.drop_table('reading_note')
    op.drop_table('reading_message')
    with op.batch_alter_table('live_participant', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_live_participant_reading_session_id'))

    op.drop_table('live_participant')
    with op.batch_alter_table('ledger_transaction', schema=None) as batch_op:
        batch_op.drop_index('ix_ledger_transaction_stripe_reference', postgresql_where=sa.text('stripe_reference IS NOT NULL'))
        batch_op.drop_index('ix_ledger_transaction_reverses_id', postgresql_where=sa.text('reverses_id IS NOT NULL'))
        batch_op.drop_index('ix_ledger_transaction_reading_session_id', postgresql_where=sa.text('reading_session_id IS NOT NULL'))

    op.drop_table('ledger_transaction')
    with op.batch_alter_table('ledger_alert', schema=None) as batch_op:
        batch_op.drop_index('uq_ledger_alert_open', postgresql_where=sa.text('resolved_at IS NULL'), postgresql_nulls_not_distinct=True)

    op.drop_table('ledger_alert')
    with op.batch_alter_table('top_up', schema=None) as batch_op:
        batch_op.drop_index('ix_top_up_person_id_id')
        batch_op.drop_index('ix_top_up_created', postgresql_where=sa.text("state IN ('created', 'open')"))

    op.drop_table('top_up')
    with op.batch_alter_table('reading_session', schema=None) as batch_op:
        batch_op.drop_index('ix_reading_session_waiting', postgresql_where=sa.text("state IN ('created', 'waiting')"))
        batch_op.drop_index('ix_reading_session_reader_id_id')
        batch_op.drop_index('ix_reading_session_grace', postgresql_where=sa.text("state IN ('paused', 'reconnecting')"))
        batch_op.drop_index('ix_reading_session_ended', postgresql_where=sa.text("state = 'ended'"))
        batch_op.drop_index('ix_reading_session_client_id_id')
        batch_op.drop_index('ix_reading_session_active', postgresql_where=sa.text("state = 'active'"))

    op.drop_table('reading_session')
    with op.batch_alter_table('reader_rate', schema=None) as batch_op:
        batch_op.drop_index('ix_reader_rate_modality_rate', postgresql_where=sa.text('offered'))

    op.drop_table('reader_rate')
    op.drop_table('ledger_shard')
    with op.batch_alter_table('reader_profile', schema=None) as batch_op:
        batch_op.drop_index('ix_reader_profile_search', postgresql_using='gin')
        batch_op.drop_index('ix_reader_profile_browse', postgresql_where=sa.text('listed'))

    op.drop_table('reader_profile')
    op.drop_table('person_role')
    with op.batch_alter_table('login', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_login_person_id'))

    op.drop_table('login')
    op.drop_table('ledger_account')
    with op.batch_alter_table('job_run', schema=None) as batch_op:
        batch_op.drop_index('uq_job_run_job_slot', postgresql_where=sa.text('slot IS NOT NULL'))
        batch_op.drop_index('ix_job_run_job_id')

    op.drop_table('job_run')
    with op.batch_alter_table('idempotency_record', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_idempotency_record_created_at'))

    op.drop_table('idempotency_record')
    with op.batch_alter_table('block', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_block_blocked_id'))

    op.drop_table('block')
    with op.batch_alter_table('audit_entry', schema=None) as batch_op:
        batch_op.drop_index('ix_audit_entry_object')
        batch_op.drop_index('ix_audit_entry_actor_id')

    op.drop_table('audit_entry')
    with op.batch_alter_table('webhook_event', schema=None) as batch_op:
        batch_op.drop_index('ix_webhook_event_due', postgresql_where=sa.text("status IN ('received', 'failed')"))

    op.drop_table('webhook_event')
    op.drop_table('reading_minute')
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.drop_index('uq_person_handle_lower')
        batch_op.drop_index('ix_person_email_lower')

    op.drop_table('person')
