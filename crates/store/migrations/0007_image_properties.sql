-- What an image says of itself beyond os, firmware and login, as JSON; whether it is a default image, every project's.
ALTER TABLE images ADD COLUMN properties TEXT;
ALTER TABLE images ADD COLUMN public BIGINT NOT NULL DEFAULT 0;
