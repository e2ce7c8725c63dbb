-- Pipeline configs: what holds for a config as a whole, and every version of its text.

CREATE TABLE pipeline_config (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    latest_version integer NOT NULL CHECK (latest_version >= 1),
    is_active boolean NOT NULL
);

CREATE INDEX pipeline_config_created ON pipeline_config (created_at, id);

CREATE TABLE pipeline_config_version (
    config_id uuid NOT NULL REFERENCES pipeline_config ON DELETE CASCADE,
    version integer NOT NULL,
    name text NOT NULL,
    description text,
    yaml text NOT NULL,
    source text NOT NULL CHECK (source IN ('file', 'api', 'imported')),
    source_path text,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (config_id, version)
);

CREATE INDEX pipeline_config_source_path ON pipeline_config_version (source_path) WHERE source_path IS NOT NULL;
