-- Which pipeline config indexed a version of a document: known for as long as the version is there, though its execution
-- is forgotten long before.

ALTER TABLE document_version ADD COLUMN config_id uuid;
UPDATE document_version v SET config_id = x.config_id FROM pipeline_execution x WHERE x.id = v.execution_id;
