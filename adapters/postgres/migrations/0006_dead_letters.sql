-- Dead letters are listed over all executions, redriven and purged; an execution may have too many of them.

ALTER TABLE message ADD COLUMN purged_at timestamptz;

DROP INDEX message_dead;
CREATE INDEX message_dead ON message (execution_id, settled_at, id) WHERE state = 'dead' AND purged_at IS NULL;
CREATE INDEX message_dead_by_time ON message (settled_at, id) WHERE state = 'dead' AND purged_at IS NULL;

-- What a failed execution left undone, which comes back when it is reopened.
CREATE INDEX message_cancelled ON message (execution_id) WHERE state = 'cancelled';

ALTER TABLE pipeline_execution ADD COLUMN max_dead_letters bigint CHECK (max_dead_letters >= 0);
