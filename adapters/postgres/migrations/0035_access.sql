-- API keys, of which nothing is kept that opens anything, and the log of who did what.

CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    digest text COLLATE "C" NOT NULL UNIQUE,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    requests_per_minute integer,
    revoked_at timestamptz,
    last_used_at timestamptz,
    old_digest text COLLATE "C",
    old_until timestamptz,
    version integer NOT NULL
);

CREATE INDEX api_key_old_digest ON api_key (old_digest) WHERE old_digest IS NOT NULL;
CREATE INDEX api_key_created ON api_key (created_at, id);

CREATE TABLE audit_entry (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    owner text,
    name text NOT NULL,
    operation text COLLATE "C" NOT NULL,
    method text NOT NULL,
    object text NOT NULL,
    outcome text NOT NULL,
    status integer NOT NULL,
    error_code text,
    request_id text NOT NULL,
    address text NOT NULL
);

CREATE INDEX audit_entry_at ON audit_entry (at);
CREATE INDEX audit_entry_owner ON audit_entry (owner, position);

-- What is written stays as it was written. Only what removes old entries says that it does, in its own transaction.
CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('factflow.forgets_audit', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_stays();
CREATE TRIGGER audit_log_stays BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_stays();
