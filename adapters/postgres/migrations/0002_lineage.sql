-- What happened to every message at every pipeline adapter. Written in batches, out of the way of the flow.

CREATE TABLE lineage_entry (
    id uuid PRIMARY KEY,
    parent_id uuid,
    execution_id uuid NOT NULL,
    message_id uuid NOT NULL,
    route_id text NOT NULL,
    adapter_name text NOT NULL,
    adapter_index integer NOT NULL,
    attempt integer NOT NULL,
    stage_name text NOT NULL,
    status text NOT NULL
        CHECK (status IN ('pending', 'initiated', 'processing', 'completed', 'failed', 'cancelled')),
    input_hash text,
    output_hash text,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    replay_batch_id uuid,
    metadata jsonb NOT NULL DEFAULT '{}',
    error jsonb
);

-- Each index costs every write. These four carry a run's list, the walk downwards, a replay's batch and the failures.
CREATE INDEX lineage_entry_execution ON lineage_entry (execution_id, started_at, id);
CREATE INDEX lineage_entry_parent ON lineage_entry (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX lineage_entry_replay_batch ON lineage_entry (replay_batch_id, started_at) WHERE replay_batch_id IS NOT NULL;
CREATE INDEX lineage_entry_failed ON lineage_entry (started_at, id) WHERE status = 'failed';
-- Rows come nearly in the order of time: a block range index, of next to no cost, finds a span of it and what is old.
CREATE INDEX lineage_entry_started ON lineage_entry USING brin (started_at);
