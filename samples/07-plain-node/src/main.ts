import { createLockClient } from 'nestjs-db-lock';

await using locks = await createLockClient({
  database: { type: 'postgres', url: process.env.DATABASE_URL },
  createTables: true,
});

await locks.withLock('nightly', async (lease) => {
  console.log(`the script runs under token ${lease.fencingToken}`);
  console.log(
    `a second copy ${(await locks.tryAcquire('nightly')) === null ? 'finds the lock busy' : 'runs, too'}`,
  );
});
