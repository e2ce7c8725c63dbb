-- Of messages that were collected into a group, one stands for all: the entries of the others name its entry. Found from
-- that entry by an index that the entries of ordinary messages are not in.

ALTER TABLE lineage_entry ADD COLUMN collected_into uuid;
CREATE INDEX lineage_entry_collected ON lineage_entry (collected_into, started_at) WHERE collected_into IS NOT NULL;
