-- storage.object_created: told in the settlement of the attempt that kept the object, and once for each upload.

-- As in migration 11, but for an event that is there already, which is not told again.
CREATE OR REPLACE FUNCTION webhook_publish(
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
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )
    INSERT INTO webhook_delivery
        (id, subscription_id, event_id, event_type, occurred_at, state, due_at, settled_at)
    SELECT gen_random_uuid(), id, p_id, p_type, p_at, CASE WHEN is_enabled THEN 'pending' ELSE 'skipped' END,
        CASE WHEN is_enabled THEN p_at END, CASE WHEN NOT is_enabled THEN p_at END
    FROM meant WHERE EXISTS (SELECT FROM event)
$$;

-- Events of objects, with the configs of their executions.
CREATE FUNCTION webhook_objects(p_events json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM webhook_publish(o.id, 'storage.object_created', o.occurred_at, e.config_id, o.execution_id, o.route_id,
        o.adapter_name, o.data || jsonb_build_object('config_id', e.config_id))
    FROM json_to_recordset(p_events) AS o (
        id uuid, occurred_at timestamptz, execution_id uuid, route_id text, adapter_name text, data jsonb)
    CROSS JOIN LATERAL (SELECT config_id FROM pipeline_execution WHERE pipeline_execution.id = o.execution_id) AS e;
END $$;

CREATE FUNCTION webhook_wants_objects() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM webhook_subscription WHERE 'storage.object_created' = ANY (event_types))
$$;

-- As settle_plainly, for a group that has kept objects. They are told of before what the settlement itself tells, so that
-- an execution's end comes after its objects; the messages are locked first, by id, so that no two can wait for each other.
CREATE FUNCTION settle_plainly_with_objects(
    asked_ids uuid[], asked_tokens uuid[], asked_states text[],
    children json, child_count bigint, child_owner uuid,
    execution_ids uuid[], now_done bigint[], now_skipped bigint[], now_born bigint[], moment timestamptz, events json
) RETURNS TABLE (execution_id uuid, execution_status text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
BEGIN
    IF webhook_wants_objects() THEN
        PERFORM FROM (SELECT id FROM unnest(asked_ids) AS each (id) ORDER BY id) AS asked
        CROSS JOIN LATERAL (SELECT m.id FROM message m WHERE m.id = asked.id FOR UPDATE) AS locked;
        PERFORM webhook_objects(events);
    END IF;
    RETURN QUERY SELECT * FROM settle_plainly(asked_ids, asked_tokens, asked_states, children, child_count, child_owner,
        execution_ids, now_done, now_skipped, now_born, moment);
END $$;

-- Uploads under way: what is to be told of them is decided when they are done, by whoever is there to do it.
CREATE TABLE upload (
    id uuid PRIMARY KEY,
    key text COLLATE "C" NOT NULL,
    begun_at timestamptz NOT NULL
);

CREATE INDEX upload_begun ON upload (begun_at);
