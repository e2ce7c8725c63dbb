-- Archives that were asked for, and how far whoever prepares them has come.
CREATE TABLE archive (
    id uuid PRIMARY KEY,
    execution_id uuid NOT NULL,
    selection jsonb NOT NULL,
    includes_metadata boolean NOT NULL,
    filename text NOT NULL,
    status text NOT NULL CHECK (status IN ('preparing', 'ready', 'failed', 'cancelled')),
    total bigint NOT NULL,
    is_total_exact boolean NOT NULL,
    processed bigint NOT NULL,
    bytes_packed bigint NOT NULL,
    size bigint,
    error text,
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    alive_at timestamptz,
    ended_at timestamptz
) WITH (fillfactor = 50);

CREATE INDEX archive_preparing ON archive (created_at, id) WHERE status = 'preparing';
CREATE INDEX archive_ended ON archive (ended_at) WHERE ended_at IS NOT NULL;
