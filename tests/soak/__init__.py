"""A steady load for an hour, on a PostgreSQL as it is in production: what should stay flat is sampled, drawn and judged."""
