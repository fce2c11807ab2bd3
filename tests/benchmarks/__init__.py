"""What the engine costs on this machine, beside DBOS on the same PostgreSQL. Never gates a test."""
