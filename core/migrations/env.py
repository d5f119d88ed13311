"""Alembic's entry: the database and its tables come from `core.migrations.config`."""

from alembic import context

database = context.config.attributes["database"]
with database.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=context.config.attributes["metadata"],
        render_as_batch=True,  # SQLite cannot alter columns in place
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
