-- What becomes of an instance after a crash and after a reboot of its host; absent is the default.
ALTER TABLE instances ADD COLUMN policy TEXT;
-- The boot of the host, as the kernel names it, after which everything was started again that should be.
ALTER TABLE installation ADD COLUMN boot TEXT;
