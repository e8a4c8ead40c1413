import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomInt, randomUUID } from 'node:crypto';
import { PATIENT } from '../faults/tampered-mariadb.js';
import {
  createMariadbDatabase,
  describeWithMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';

const NAMES = Array.from(
  { length: 20 },
  (_, index) => `${['lock', 'Lock', 'lock ', 'löck', 'läck'][index % 5]}${index}`,
);

/** How often each client asks. */
const ROUNDS = 150;

/** Leases longer than the test: who has one gives it back. */
const TTL = 3_600_000;

describeWithMariadb('On MariaDB, several clients of 20 hot locks', () => {
  let database: MariadbDatabase;
  let hosts: MariadbHost[];

  beforeAll(async () => {
    database = await createMariadbDatabase();
    // No row is given up because the machine stood still while it was locked.
    hosts = await openMariadbHosts(database.url, 6, { statementTimeout: '60s' }, PATIENT);
  });

  afterAll(async () => {
    for (const { app } of hosts) await app.close();
    await database.drop();
  });

  it('never have one at the same time, and see its tokens grow', async () => {
    const holders = new Map<string, string>();
    const tokens = new Map<string, number>();
    const faults: string[] = [];
    let grants = 0;

    const begin = ({
      lockName,
      grantId,
      fencingToken,
    }: {
      lockName: string;
      grantId: string;
      fencingToken: number;
    }) => {
      grants++;
      if (holders.has(lockName)) faults.push(`${lockName} has two holders`);
      if (fencingToken <= (tokens.get(lockName) ?? 0)) faults.push(`${lockName} has an old token`);
      holders.set(lockName, grantId);
      tokens.set(lockName, fencingToken);
    };
    const pick = (count: number) => [
      ...new Set(Array.from({ length: count }, () => NAMES[randomInt(NAMES.length)]!)),
    ];
    const expectAll = (answers: ReadonlyArray<{ outcome: string }>, outcome: string) => {
      for (const answer of answers)
        if (answer.outcome !== outcome) faults.push(`${answer.outcome} instead of ${outcome}`);
    };

    await Promise.all(
      hosts.map(async ({ store }) => {
        for (let round = 0; round < ROUNDS; round++) {
          const isSet = randomInt(8) === 0;
          const grantId = randomUUID();
          const asked = pick(1 + randomInt(8)).map((lockName) => ({
            ...requestOf(lockName, TTL),
            ...(isSet ? { grantId } : randomInt(3) === 0 ? { ticket: 1 } : {}),
          }));
          const answers = isSet ? [await store.acquireSet(asked)] : await store.acquire(asked);
          for (const answer of answers) if (answer.outcome === 'error') faults.push(String(answer.error));
          let leases = answers.flatMap((answer) =>
            answer.outcome !== 'granted' ? [] : 'leases' in answer ? answer.leases : [answer.lease],
          );
          leases.forEach(begin);
          if (leases.length > 0 && randomInt(3) === 0)
            expectAll(await store.renew(leases.map((lease) => ({ ...lease, ttl: TTL }))), 'renewed');
          if (leases.length > 0 && randomInt(3) === 0) {
            const [lease, ...others] = leases as [(typeof leases)[0]];
            holders.delete(lease.lockName);
            const successor = { ...requestOf(lease.lockName, TTL), ticket: 1 };
            const [passed] = await store.queue!.pass(randomUUID(), [{ ...lease, successor }]);
            expectAll([passed!], 'passed');
            if (passed?.outcome !== 'passed') continue;
            begin(passed.lease);
            leases = [passed.lease, ...others];
          }
          for (const { lockName } of leases) holders.delete(lockName);
          if (leases.length > 0)
            expectAll(
              await store.release(leases.map(({ lockName, grantId }) => ({ lockName, grantId }))),
              'released',
            );
        }
      }),
    );
    expect(faults).toEqual([]);
    expect(grants).toBeGreaterThan(ROUNDS);
  }, 120_000);

  it('who ask for the same new lock at once have one winner', async () => {
    for (let round = 0; round < 20; round++) {
      const requests = hosts.map(() => requestOf(`first:${round}`));
      const answers = await Promise.all(hosts.map(({ store }, index) => store.acquire([requests[index]!])));
      expect(
        answers
          .flat()
          .map(({ outcome }) => outcome)
          .sort(),
      ).toEqual([...hosts.slice(1).map(() => 'busy'), 'granted']);
    }
  });

  it('that ask with the same grantId have the same lease, new for one of them', async () => {
    for (let round = 0; round < 20; round++) {
      const request = requestOf(`same:${round}`);
      const answers = (await Promise.all(hosts.map(({ store }) => store.acquire([request])))).flat();
      const leases = answers.map((answer) => (answer.outcome === 'granted' ? answer.lease.fencingToken : 0));
      expect(new Set(leases).size).toBe(1);
      expect(answers.filter((answer) => answer.outcome === 'granted' && !answer.repeated)).toHaveLength(1);
    }
  });
});
