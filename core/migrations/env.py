"""Alembic's entry: the database and its tables come from `core.migrations.config`."""

from alembic import context

database = context.config.attributes["database"]
sqlite = database.engine.dialect.name == "sqlite"
with database.engine.connect() as connection:
    # SQLite alters a table by making it anew, and would not drop one that others refer to. The switch does nothing
    # within a transaction, so it is set on the driver's connection before there is one.
    driver = connection.connection.dbapi_connection
    if sqlite:
        driver.execute("PRAGMA foreign_keys=OFF")
    try:
        context.configure(
            connection=connection,
            target_metadata=context.config.attributes["metadata"],
            render_as_batch=True,  # SQLite cannot alter columns in place
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise ValueError(f"rows refer to others that are not there; nothing was changed: {broken[:5]}")
        connection.commit()
    finally:
        if sqlite:
            connection.rollback()
            driver.execute("PRAGMA foreign_keys=ON")
