-- What is paused, what each worker runs, and how often a message was in the hands of a process that died.

ALTER TABLE pipeline_execution ADD COLUMN paused_at timestamptz;

-- A route of one execution, or, without an execution, a route id wherever it runs, now and later.
CREATE TABLE paused_route (
    route_id text COLLATE "C" NOT NULL,
    execution_id uuid,
    paused_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (route_id, execution_id)
);

CREATE INDEX paused_route_execution ON paused_route (execution_id);

ALTER TABLE worker_lease ADD COLUMN executions uuid[] NOT NULL DEFAULT '{}';

ALTER TABLE message ADD COLUMN crashes integer NOT NULL DEFAULT 0;

-- Nearly empty: a message gets here when two processes have died with it.
CREATE INDEX message_suspect ON message (position) WHERE crashes >= 2 AND state = 'queued';
