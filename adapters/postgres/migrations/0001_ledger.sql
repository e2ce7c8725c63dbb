-- Executions and the message ledger.

CREATE TABLE pipeline_execution (
    id uuid PRIMARY KEY,
    config_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled', 'interrupted')),
    -- json, not jsonb, which would forget the order of the routes.
    config_snapshot json NOT NULL,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    parent_execution_id uuid,
    replay_source text,
    tag text UNIQUE,
    root_correlation_id uuid,
    metadata jsonb NOT NULL DEFAULT '{}',
    error_info jsonb,
    generation integer NOT NULL DEFAULT 1,
    outstanding bigint NOT NULL DEFAULT 0 CHECK (outstanding >= 0),
    done bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE INDEX pipeline_execution_unfinished ON pipeline_execution (id) WHERE status IN ('running', 'interrupted');
CREATE INDEX pipeline_execution_config ON pipeline_execution (config_id, id);
CREATE INDEX pipeline_execution_parent ON pipeline_execution (parent_execution_id) WHERE parent_execution_id IS NOT NULL;

-- The row is updated twice in its life (claim, settle); the fill factor leaves room for that on its page.
CREATE TABLE message (
    id uuid PRIMARY KEY,
    execution_id uuid NOT NULL,
    route_id text NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'claimed', 'done', 'skipped', 'dead', 'cancelled')),
    payload jsonb NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    parent_id uuid,
    parent_correlation_id uuid,
    position bigint GENERATED ALWAYS AS IDENTITY,
    attempt integer NOT NULL DEFAULT 0,
    retries integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    claim_token uuid,
    claimed_by uuid,
    error jsonb,
    settled_at timestamptz
) WITH (fillfactor = 70);

-- What waits, in the order it came; what is claimed, for the sweep; what is dead, for people.
CREATE INDEX message_queued ON message (execution_id, route_id, position) WHERE state = 'queued';
CREATE INDEX message_claimed ON message (claimed_by) WHERE state = 'claimed';
CREATE INDEX message_dead ON message (execution_id, settled_at) WHERE state = 'dead';

CREATE TABLE worker_lease (
    owner uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
