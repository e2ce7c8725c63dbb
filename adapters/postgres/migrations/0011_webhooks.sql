-- Webhooks: who wants to be told, what happened, and the deliveries that tell of it.

CREATE TABLE webhook_subscription (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    description text,
    event_types text[] NOT NULL,
    config_id uuid,
    execution_id uuid,
    route_id text COLLATE "C",
    adapter_name text COLLATE "C",
    -- Secrets and headers, encrypted: who reads the database learns neither.
    sealed bytea NOT NULL,
    requests_per_second double precision,
    timeout_seconds double precision NOT NULL,
    is_ordered boolean NOT NULL,
    is_enabled boolean NOT NULL,
    disabled_at timestamptz,
    disabled_reason text,
    failing_since timestamptz,
    warned_at timestamptz,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE webhook_event (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    config_id uuid,
    execution_id uuid,
    route_id text,
    adapter_name text,
    data jsonb NOT NULL
);

CREATE INDEX webhook_event_time ON webhook_event (occurred_at);

CREATE TABLE webhook_delivery (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,
    subscription_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'skipped')),
    -- When it is to be sent; while it is claimed, when the claim runs out.
    due_at timestamptz,
    claim_token uuid,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    last_status integer,
    last_failure text,
    last_attempt_at timestamptz,
    settled_at timestamptz
) WITH (fillfactor = 80);

CREATE INDEX webhook_delivery_due ON webhook_delivery (subscription_id, due_at, position) WHERE state = 'pending';
CREATE INDEX webhook_delivery_in_order ON webhook_delivery (subscription_id, position) WHERE state = 'pending';
CREATE INDEX webhook_delivery_position ON webhook_delivery (position);
CREATE INDEX webhook_delivery_subscription ON webhook_delivery (subscription_id, position) WHERE state <> 'pending';
CREATE INDEX webhook_delivery_event ON webhook_delivery (event_id);
CREATE INDEX webhook_delivery_settled ON webhook_delivery (settled_at) WHERE state <> 'pending';

CREATE TABLE webhook_attempt (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms double precision NOT NULL,
    request_headers jsonb NOT NULL,
    status integer,
    response_headers jsonb NOT NULL,
    response_body bytea NOT NULL,
    is_truncated boolean NOT NULL,
    failure text,
    detail text,
    PRIMARY KEY (delivery_id, number)
);

-- The event and its deliveries, in the transaction of what it tells of; nothing when no subscription wants it.
CREATE FUNCTION webhook_publish(
    p_id uuid, p_type text, p_at timestamptz, p_config uuid, p_execution uuid, p_route text, p_adapter text,
    p_data jsonb, p_only uuid DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    WITH meant AS MATERIALIZED (
        SELECT s.id, s.is_enabled FROM webhook_subscription s
        WHERE CASE WHEN p_only IS NOT NULL THEN s.id = p_only ELSE
            p_type = ANY (s.event_types)
            AND (s.config_id IS NULL OR s.config_id = p_config)
            AND (s.execution_id IS NULL OR s.execution_id = p_execution)
            AND (s.route_id IS NULL OR s.route_id = p_route)
            AND (s.adapter_name IS NULL OR s.adapter_name = p_adapter) END
    ), event AS (
        INSERT INTO webhook_event (id, type, occurred_at, config_id, execution_id, route_id, adapter_name, data)
        SELECT p_id, p_type, p_at, p_config, p_execution, p_route, p_adapter, p_data WHERE EXISTS (SELECT FROM meant)
    )
    INSERT INTO webhook_delivery
        (id, subscription_id, event_id, event_type, occurred_at, state, due_at, settled_at)
    SELECT gen_random_uuid(), id, p_id, p_type, p_at, CASE WHEN is_enabled THEN 'pending' ELSE 'skipped' END,
        CASE WHEN is_enabled THEN p_at END, CASE WHEN NOT is_enabled THEN p_at END
    FROM meant
$$;

-- What of an error is told: its texts cut, so that an event stays small.
CREATE FUNCTION webhook_error(p_error jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_error IS NULL THEN NULL ELSE jsonb_build_object(
        'code', left(p_error ->> 'code', 200), 'message', left(p_error ->> 'message', 2000),
        'type', left(p_error ->> 'type', 200)) END
$$;

CREATE FUNCTION webhook_on_execution() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    happened text := 'execution.' || CASE NEW.status WHEN 'running' THEN 'started' ELSE NEW.status END;
    at timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM webhook_subscription WHERE happened = ANY (event_types)) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        at := NEW.started_at;
    ELSIF NEW.status = 'running' AND NEW.generation = OLD.generation THEN
        RETURN NULL; -- taken up again after an interruption: it had started before
    ELSE
        at := coalesce(NEW.completed_at, clock_timestamp());
    END IF;
    PERFORM webhook_publish(gen_random_uuid(), happened, at, NEW.config_id, NEW.id, NULL, NULL, jsonb_build_object(
        'execution_id', NEW.id, 'config_id', NEW.config_id, 'status', NEW.status, 'generation', NEW.generation,
        'tag', NEW.tag, 'parent_execution_id', NEW.parent_execution_id, 'started_at', NEW.started_at,
        'completed_at', NEW.completed_at, 'error', webhook_error(NEW.error_info),
        'counts', jsonb_build_object('outstanding', NEW.outstanding, 'done', NEW.done, 'skipped', NEW.skipped,
            'dead', NEW.dead, 'cancelled', NEW.cancelled)));
    RETURN NULL;
END $$;

CREATE TRIGGER webhook_execution_begun AFTER INSERT ON pipeline_execution
    FOR EACH ROW EXECUTE FUNCTION webhook_on_execution();

CREATE TRIGGER webhook_execution_changed AFTER UPDATE OF status ON pipeline_execution
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION webhook_on_execution();

CREATE FUNCTION webhook_on_failure() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    config uuid;
    told jsonb;
BEGIN
    IF NOT EXISTS (
        SELECT FROM webhook_subscription WHERE event_types && ARRAY['lineage.failed', 'message.dead_lettered']
    ) THEN
        RETURN NULL;
    END IF;
    at := coalesce(NEW.settled_at, clock_timestamp());
    SELECT config_id INTO config FROM pipeline_execution WHERE id = NEW.execution_id;
    told := jsonb_build_object(
        'message_id', NEW.id, 'execution_id', NEW.execution_id, 'config_id', config, 'route_id', NEW.route_id,
        'adapter_name', left(NEW.error ->> 'adapter_name', 200), 'adapter_index', NEW.error -> 'adapter_index',
        'stage_name', left(NEW.error ->> 'stage_name', 200), 'attempt', NEW.attempt, 'retries', NEW.retries,
        'error', coalesce(webhook_error(NEW.error), '{}'));
    IF NEW.error ? 'adapter_name' THEN
        PERFORM webhook_publish(gen_random_uuid(), 'lineage.failed', at, config, NEW.execution_id, NEW.route_id,
            NEW.error ->> 'adapter_name', told);
    END IF;
    IF NEW.state = 'dead' THEN
        PERFORM webhook_publish(gen_random_uuid(), 'message.dead_lettered', at, config, NEW.execution_id, NEW.route_id,
            NEW.error ->> 'adapter_name', told);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER webhook_message_failed AFTER UPDATE OF state ON message FOR EACH ROW
    WHEN (NEW.retries > OLD.retries OR (NEW.state = 'dead' AND OLD.state <> 'dead'))
    EXECUTE FUNCTION webhook_on_failure();
