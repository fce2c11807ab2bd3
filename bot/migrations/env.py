"""Runs the migrations of the bot's own tables on the connection that `durable.postgres.migrate` hands over."""

from alembic import context

config = context.config
attributes = config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes["metadata"],
    version_table="schema_version",
    version_table_schema=attributes["schema"],
    include_schemas=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
