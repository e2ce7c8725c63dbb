-- What is old is found by its moment. A range index costs next to nothing to keep, and updates in place stay possible.
CREATE INDEX message_settled ON message USING brin (settled_at);
CREATE INDEX pipeline_execution_ended ON pipeline_execution (completed_at) WHERE completed_at IS NOT NULL;
