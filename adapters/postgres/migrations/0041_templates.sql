-- Templates that people have stored; those that come with the server are not here.
CREATE TABLE template (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('pipeline', 'prompt')),
    description text NOT NULL,
    text text NOT NULL,
    parameters jsonb NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
