-- What a safety checker found unsafe and a server shows nevertheless: veiled wherever it is shown
-- again.

ALTER TABLE pictures ADD COLUMN is_unsafe INTEGER NOT NULL DEFAULT 0 CHECK (is_unsafe IN (0, 1));
