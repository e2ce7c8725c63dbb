-- As in migration 12, but a child that is there already ends the call with unique_violation (23505): to look for every
-- child before it is inserted, as ON CONFLICT does, costs a tenth of the insertion and finds next to nothing.

CREATE OR REPLACE FUNCTION settle_plainly(
    asked_ids uuid[], asked_tokens uuid[], asked_states text[],
    children json, child_count bigint, child_owner uuid,
    execution_ids uuid[], now_done bigint[], now_skipped bigint[], now_born bigint[], moment timestamptz
) RETURNS TABLE (execution_id uuid, execution_status text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_nestloop = off
AS $$
#variable_conflict use_column
DECLARE
    changed bigint;
BEGIN
    UPDATE message m
    SET state = asked.state, not_before = NULL, error = NULL, settled_at = moment
    FROM (
        SELECT *, 'claimed' AS held
        FROM unnest(asked_ids, asked_tokens, asked_states) AS each (id, token, state)
        ORDER BY id
    ) AS asked
    WHERE m.id = ANY (asked_ids) AND m.id = asked.id AND m.claim_token = asked.token AND m.state = asked.held;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> cardinality(asked_ids) THEN
        RAISE EXCEPTION 'a claim does not hold' USING ERRCODE = 'FF001';
    END IF;

    IF child_count > 0 THEN
        INSERT INTO message (
            id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
            state, claim_token, claimed_by, attempt
        )
        SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
               CASE WHEN token IS NULL THEN 'queued' ELSE 'claimed' END, token,
               CASE WHEN token IS NOT NULL THEN child_owner END, CASE WHEN token IS NULL THEN 0 ELSE 1 END
        FROM json_to_recordset(children) AS child (
            id uuid, execution_id uuid, route_id text, payload jsonb, metadata jsonb,
            parent_id uuid, parent_correlation_id uuid, token uuid
        );
    END IF;

    RETURN QUERY
        UPDATE pipeline_execution e
        SET outstanding = e.outstanding + d.born - d.done - d.skipped,
            done = e.done + d.done, skipped = e.skipped + d.skipped,
            status = CASE WHEN e.outstanding + d.born - d.done - d.skipped = 0 THEN 'completed' ELSE e.status END,
            completed_at = CASE WHEN e.outstanding + d.born - d.done - d.skipped = 0 THEN moment ELSE e.completed_at END
        FROM unnest(execution_ids, now_done, now_skipped, now_born) AS d (id, done, skipped, born)
        WHERE e.id = ANY (execution_ids) AND e.id = d.id AND e.status IN ('running', 'interrupted')
        RETURNING e.id, e.status;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed <> cardinality(execution_ids) THEN
        RAISE EXCEPTION 'an execution has ended' USING ERRCODE = 'FF001';
    END IF;
END
$$;

-- Brings a chunk of a fan-out into being in one call, when nothing about it is out of the ordinary: the parent's claim
-- holds, its execution goes on, and no child is there already (else 23505). FF001 as above. The parent's row comes before
-- the children and these before the execution's, which is locked only for the last step.

CREATE FUNCTION extend_plainly(
    asked_id uuid, asked_token uuid, children json, child_count bigint, child_owner uuid
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    parent_execution_id uuid;
BEGIN
    SELECT execution_id INTO parent_execution_id FROM message
    WHERE id = asked_id AND claim_token = asked_token AND state = 'claimed' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a claim does not hold' USING ERRCODE = 'FF001';
    END IF;

    INSERT INTO message (
        id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
        state, claim_token, claimed_by, attempt
    )
    SELECT id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id,
           CASE WHEN token IS NULL THEN 'queued' ELSE 'claimed' END, token,
           CASE WHEN token IS NOT NULL THEN child_owner END, CASE WHEN token IS NULL THEN 0 ELSE 1 END
    FROM json_to_recordset(children) AS child (
        id uuid, execution_id uuid, route_id text, payload jsonb, metadata jsonb,
        parent_id uuid, parent_correlation_id uuid, token uuid
    );

    UPDATE pipeline_execution SET outstanding = outstanding + child_count
    WHERE id = parent_execution_id AND status IN ('running', 'interrupted');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an execution has ended' USING ERRCODE = 'FF001';
    END IF;
END
$$;
