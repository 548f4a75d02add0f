-- Agents on other machines: tokens that register them, what admins set over what agents report, pauses that end.
ALTER TABLE agent_tokens ADD COLUMN uses BIGINT NOT NULL DEFAULT 1;
ALTER TABLE agent_tokens ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE agent_tokens ADD COLUMN revoked_at BIGINT;
ALTER TABLE agents ADD COLUMN token_id BIGINT REFERENCES agent_tokens(id);
ALTER TABLE agents ADD COLUMN slots_set BIGINT;
ALTER TABLE agents ADD COLUMN leaving BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE agents ADD COLUMN clock_off_ms BIGINT;
-- A credential is one agent's: what makes a registration that is repeated find itself.
CREATE UNIQUE INDEX agents_credential ON agents(credential_hash);
-- One agent's news, newest first.
CREATE INDEX events_agent ON events(subject_id, seq) WHERE subject = 'agent';
