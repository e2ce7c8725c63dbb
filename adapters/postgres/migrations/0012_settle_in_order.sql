-- As in migration 9, with the messages locked in the order of their ids in fact, whatever the planner thinks.
--
-- It knew that what is claimed has an index of its own, and while the table was small read all of that instead of the
-- rows named: in the order in which they lie, so that two calls could wait for each other, and with a plan that was kept
-- when many were claimed. What it does not see to be the state "claimed" it cannot look up there.

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
        )
        ON CONFLICT (id) DO NOTHING;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> child_count THEN
            RAISE EXCEPTION 'a child is there already' USING ERRCODE = 'FF001';
        END IF;
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
