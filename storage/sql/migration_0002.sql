-- What an age-restricted channel saw stays in such channels, and a server may do without the list
-- of words that Limner brings.

ALTER TABLE jobs ADD COLUMN is_age_restricted INTEGER NOT NULL DEFAULT 0
    CHECK (is_age_restricted IN (0, 1));

ALTER TABLE guild_settings ADD COLUMN blocks_shipped_words INTEGER NOT NULL DEFAULT 1
    CHECK (blocks_shipped_words IN (0, 1));
