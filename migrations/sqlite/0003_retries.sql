-- When a job is tried again (JSON; NULL for never), and how many places of an attempt's output say that bytes are missing.
ALTER TABLE jobs ADD COLUMN retry TEXT;
ALTER TABLE attempts ADD COLUMN gaps BIGINT NOT NULL DEFAULT 0;
