"""The bot's own memory, schema `vigil` of the database: SQL is spoken here and in `durable.postgres` alone."""
