-- Conversations: threads, and the messages in them, a tree for each thread.

CREATE TABLE chat_thread (
    id uuid PRIMARY KEY,
    -- The principal who may see it.
    owner text COLLATE "C" NOT NULL,
    title text NOT NULL,
    title_origin text NOT NULL,
    head_id uuid,
    messages integer NOT NULL,
    origin_thread_id uuid,
    origin_message_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX chat_thread_owner ON chat_thread (owner, updated_at DESC, id DESC);

CREATE TABLE chat_message (
    id uuid PRIMARY KEY,
    thread_id uuid NOT NULL REFERENCES chat_thread (id) ON DELETE CASCADE,
    parent_id uuid,
    depth integer NOT NULL,
    role text NOT NULL,
    content text NOT NULL,
    status text NOT NULL CHECK (status IN ('writing', 'complete', 'failed', 'interrupted')),
    -- What a question was asked with, what an answer rests on, and what it failed at.
    request jsonb,
    answer jsonb,
    error jsonb,
    -- The words of the content, each once, for searching.
    words text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX chat_message_thread ON chat_message (thread_id, id);
CREATE INDEX chat_message_words ON chat_message USING gin (words);
