-- Children and runs are read in the order of their start, a page at a time. The id, which only parts those of the very
-- same microsecond, is left out of the indexes: every byte in them is written for every entry.

DROP INDEX lineage_entry_execution;
CREATE INDEX lineage_entry_execution ON lineage_entry (execution_id, started_at);

DROP INDEX lineage_entry_parent;
CREATE INDEX lineage_entry_parent ON lineage_entry (parent_id, started_at) WHERE parent_id IS NOT NULL;

CREATE INDEX lineage_entry_failed_of_execution ON lineage_entry (execution_id, started_at) WHERE status = 'failed';
