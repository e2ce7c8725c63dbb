-- Replays are listed, and each is found by the batch that its lineage entries name.
CREATE INDEX pipeline_execution_replay ON pipeline_execution (id) WHERE replay_source IS NOT NULL;
CREATE INDEX pipeline_execution_replay_batch ON pipeline_execution ((config_snapshot->'replay'->>'replay_batch_id'))
    WHERE replay_source IS NOT NULL;
