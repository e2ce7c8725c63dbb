-- Documents, their versions, the segments of each and what they are found by.
-- No foreign keys between these: a version goes with all that hangs on it in one statement each, and the checks
-- would cost more than the inserts.

-- One row per document ever seen: what its changes are serialised by, and the number its next version gets.
-- It stays when the document is removed, so that a late segment of a removed version cannot count towards a new one.
CREATE TABLE document (
    document_id text COLLATE "C" PRIMARY KEY,
    newest integer NOT NULL DEFAULT 0,
    removed_at timestamptz
) WITH (fillfactor = 70);

CREATE TABLE document_version (
    document_id text COLLATE "C" NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    origin text COLLATE "C" NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    fingerprint text NOT NULL,
    language text NOT NULL,
    expected integer NOT NULL CHECK (expected >= 0),
    indexed integer NOT NULL DEFAULT 0 CHECK (indexed >= 0),
    is_current boolean NOT NULL DEFAULT false,
    opened_at timestamptz NOT NULL DEFAULT now(),
    indexed_at timestamptz,
    execution_id uuid,
    object_key text,
    metadata jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (document_id, version)
) WITH (fillfactor = 70);

-- Not unique: the flip removes the old version and shows the new one in one statement.
CREATE INDEX document_version_current ON document_version (document_id) WHERE is_current;
CREATE INDEX document_version_origin ON document_version (origin, document_id) WHERE is_current;

-- Updated once in its life, when its version becomes current: the fill factor keeps that on the page.
-- `lexemes` are what postings are made of, and unmade of.
CREATE TABLE segment (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    ordinal integer NOT NULL,
    text text NOT NULL,
    start_character integer NOT NULL,
    end_character integer NOT NULL,
    heading_path jsonb NOT NULL,
    page integer,
    tokens integer NOT NULL,
    origin text COLLATE "C" NOT NULL,
    language text NOT NULL,
    lexemes tsvector NOT NULL,
    length integer NOT NULL,
    is_current boolean NOT NULL DEFAULT false,
    execution_id uuid,
    lineage_id uuid,
    UNIQUE (id, version)
) WITH (fillfactor = 70);

CREATE INDEX segment_document ON segment (document_id, version);
CREATE INDEX segment_origin ON segment (origin);
CREATE INDEX segment_execution ON segment (execution_id);

-- The embedding slots there are: a slot's vectors all have one dimension.
CREATE TABLE embedding_slot (
    model_name text COLLATE "C" PRIMARY KEY,
    dimension integer NOT NULL CHECK (dimension BETWEEN 1 AND 16000)
);

-- Slots of different dimensions share the table; each gets a partial index over its own when it is large enough.
CREATE TABLE segment_embedding (
    segment_key bigint NOT NULL,
    model_name text COLLATE "C" NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (segment_key, model_name)
);

-- Postings of current segments only, so a lexeme's document frequency is the number of its rows.
CREATE TABLE segment_term (
    lexeme text COLLATE "C" NOT NULL,
    segment_key bigint NOT NULL,
    frequency integer NOT NULL,
    length integer NOT NULL,
    PRIMARY KEY (lexeme, segment_key) INCLUDE (frequency, length)
);

-- How many current segments there are and how many words they have, changed with the postings.
CREATE TABLE corpus_statistics (
    language text COLLATE "C" PRIMARY KEY,
    segments bigint NOT NULL,
    total_length bigint NOT NULL
) WITH (fillfactor = 10);
