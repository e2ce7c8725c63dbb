-- What recovery looks at with every renewal of a lease, also behind executions that have ended. A column of its own, and
-- not an index over the counters: a change of what an index looks at keeps PostgreSQL from updating a row on its page, and
-- the counters change with every commit of a group, while this changes once.

ALTER TABLE pipeline_execution ADD COLUMN is_unfinished boolean NOT NULL
    GENERATED ALWAYS AS (status IN ('running', 'interrupted') OR outstanding > 0) STORED;
CREATE INDEX pipeline_execution_to_look_at ON pipeline_execution (id) WHERE is_unfinished;
