import pg from 'pg';

/** A trigger of somebody's, as an application may have one on its table: no row with such a name can be written. */
const TRIGGER = `
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poisoned'; END $$;
CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON dblock_lock
  FOR EACH ROW WHEN (NEW.lock_name LIKE '%poison%') EXECUTE FUNCTION refuse()`;

/** Makes the database refuse every grant of a lock whose name has "poison" in it. */
export async function poison(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(TRIGGER);
  } finally {
    await client.end();
  }
}
