-- What was answered to requests that may be repeated, for each principal and key.

CREATE TABLE idempotency_record (
    owner text NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    token uuid NOT NULL,
    begun_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    PRIMARY KEY (owner, key)
);

CREATE INDEX idempotency_record_begun ON idempotency_record (begun_at);
