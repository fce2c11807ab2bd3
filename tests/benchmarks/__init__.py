"""What the engine costs on this machine, beside a bare psycopg2 loop on the same PostgreSQL. Never gates a test."""
