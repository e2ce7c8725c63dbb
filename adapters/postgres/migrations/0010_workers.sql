-- What each worker tells of itself.

ALTER TABLE worker_lease
    ADD COLUMN name text NOT NULL DEFAULT '',
    ADD COLUMN host text NOT NULL DEFAULT '',
    ADD COLUMN pid integer NOT NULL DEFAULT 0,
    ADD COLUMN since timestamptz,
    ADD COLUMN takes_messages boolean NOT NULL DEFAULT true,
    ADD COLUMN in_hand integer NOT NULL DEFAULT 0;
