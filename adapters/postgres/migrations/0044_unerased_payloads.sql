-- The payloads in storage of dead letters that have been purged, until they are gone.

CREATE TABLE unerased_payload (
    key text PRIMARY KEY
);
