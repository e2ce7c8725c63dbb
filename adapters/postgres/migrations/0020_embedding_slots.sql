-- Which weights and arithmetic make a slot's vectors; null for what was stored before this was kept, until the next write.
ALTER TABLE embedding_slot ADD COLUMN identity text;

-- A slot's vectors are counted and compared with the segments there are.
CREATE INDEX segment_embedding_slot ON segment_embedding (model_name, segment_key);
