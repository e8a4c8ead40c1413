import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { AWKWARD_NAMES } from '../support/lock-names.js';
import type { Message } from '../support/lock-service.js';
import type { Route } from '../support/routes.js';

/** `FUZZ_SEED=… FUZZ_RUNS=… npm test -- test/wire/fuzz` looks elsewhere, and for longer. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 1_763_900_000);
const runs = (byDefault: number): number => Number(process.env['FUZZ_RUNS'] ?? byDefault);
export const PATIENCE = Number(process.env['FUZZ_RUNS'] ?? 0) * 1000 + 120_000;

/** fast-check names the seed and the counterexample when a property fails. */
export async function holds<Input>(
  numRuns: number,
  input: fc.Arbitrary<Input>,
  check: (input: Input) => Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(input, check), { seed: SEED, numRuns: runs(numRuns) });
}

/** Percent-encoding of any string, also of one that no URL can hold: lone surrogates become the bytes of none. */
export function encode(name: string): string {
  return [...name]
    .map((character) =>
      character.isWellFormed() ? encodeURIComponent(character).replaceAll('.', '%2E') : '%ED%A0%80',
    )
    .join('');
}

/** The rule for names, told once more. */
export function isName(name: string): boolean {
  const characters = [...name];
  const fits = characters.length >= 1 && characters.length <= 255 && name !== '.' && name !== '..';
  return fits && characters.every((character) => character !== '\0' && character.isWellFormed());
}

export const DAY = 24n * 60n * 60n * 1000n;
export const UNITS: Record<string, bigint> = { ms: 1n, s: 1000n, m: 60_000n, h: 3_600_000n, d: DAY };

export interface Bounds {
  min: bigint;
  max: bigint;
}

export const TTL: Bounds = { min: 1n, max: 30n * DAY };
export const WAIT: Bounds = { min: 0n, max: DAY };
export const MIN_HOLD: Bounds = { min: 0n, max: 30n * DAY };

/** The rule for durations, told once more in exact arithmetic: whole milliseconds, or null. */
export function millisecondsOf(duration: unknown, { min, max }: Bounds): number | null {
  if (typeof duration === 'number')
    return Number.isInteger(duration) && duration >= min && duration <= max ? duration : null;
  const [, whole, fraction = '', unit] =
    (typeof duration === 'string' &&
      duration.length <= 20 &&
      /^(\d+)(?:\.(\d+))? ?(ms|s|m|h|d)$/.exec(duration)) ||
    [];
  if (whole === undefined) return null;
  const scaled = BigInt(whole + fraction) * UNITS[unit!]!;
  const scale = 10n ** BigInt(fraction.length);
  const milliseconds = scaled / scale;
  const isWhole = scaled % scale === 0n;
  return isWhole && milliseconds >= min && milliseconds <= max ? Number(milliseconds) : null;
}

/** What a value is after its way through JSON. */
export const asJson = (value: unknown): unknown =>
  (JSON.parse(JSON.stringify({ value })) as { value: unknown }).value;

export const anyName = fc.oneof(
  fc.constantFrom('held', 'expired', 'free', '.', '..', '', 'x'.repeat(256), ...AWKWARD_NAMES),
  fc.string({ unit: 'binary', maxLength: 300, size: 'max' }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 })
    .map((units) => String.fromCharCode(...units)),
);

/** Durations around two bounds, in whatever way they are written, and what is none. */
export const anyDuration = ({ min, max }: Bounds) =>
  fc.oneof(
    fc.integer({ min: Number(min) - 5, max: Number(min) + 5 }),
    fc.integer({ min: Number(max) - 5, max: Number(max) + 5 }),
    fc.double(),
    fc
      .tuple(
        fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 5_000 }), fc.nat()),
        fc.constantFrom('', '', '.', '.0', '.1', '.2', '.5', '.005', '.29', '.3333', 'e3'),
        fc.constantFrom('', '', ' ', '  '),
        fc.constantFrom('ms', 's', 'm', 'h', 'd', 'd', 'w', 'S', ''),
      )
      .map((parts) => parts.join('')),
    fc.jsonValue({ maxDepth: 1 }),
  );

export const anyTtl = anyDuration(TTL);

/** What may be a list of names; a few names come often, so that some come twice. */
export const anySet = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(fc.oneof(anyName, fc.constantFrom('held', 'free', 'job')), { maxLength: 5 }),
  },
  {
    weight: 1,
    arbitrary: fc.uniqueArray(fc.nat().map(String), { minLength: 98, maxLength: 103, size: 'max' }),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);

/** What stands in the URL as it is. */
export const urlText = fc.string({
  unit: fc.constantFrom(...'ab%2F0.+/?&=[];,:~"\\<>{}|^`$!'),
  maxLength: 12,
});

export const otherMethod = fc.constantFrom(
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'BREW',
);

export const JSON_TYPE = 'application/json';
export const FORM_TYPE = 'application/x-www-form-urlencoded';

export const contentType = fc.oneof(
  { weight: 4, arbitrary: fc.constant(JSON_TYPE) },
  { weight: 2, arbitrary: fc.constant(FORM_TYPE) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'application/json; charset=utf-8',
      'application/json; charset=utf-16',
      'application/problem+json',
      'multipart/form-data; boundary=x',
      'text/plain',
      'application/octet-stream',
      'application/xml',
      'nonsense',
      ';;;',
      '',
    ),
  },
);

export const anyValue = fc.oneof(
  anyName,
  anyTtl,
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom({ a: '\0' }, { '\0': 1 }, { a: ['\udfff'] }, { '\\u0000': '\\' }),
  fc.constantFrom('x'.repeat(2000), { $gt: '' }, ['a', 'b'], { toString: 'a' }, { length: 1 }),
);

export const FIELDS = [
  'lockName',
  'workerName',
  'timeout',
  'ttl',
  'grantId',
  'metadata',
  'wait',
  'lockNames',
  'requests',
  'action',
  'minHold',
  'reason',
  'search',
  'state',
  'sort',
  'order',
  'page',
  'pageSize',
  'prefix',
  'range',
  'limit',
  'before',
  'fencingToken',
  'locks',
  'constructor',
  '__proto__',
];

/** As long as a test cares to wait for a lock that stays busy, in milliseconds. */
export const PATIENT = 500;

/** The fields with a wait that ends soon, if it is one. */
export function patient(fields: Record<string, unknown>): Record<string, unknown> {
  return millisecondsOf(asJson(fields['wait']), WAIT) ? { ...fields, wait: PATIENT } : fields;
}

export const fields = fc
  .tuple(
    fc.dictionary(fc.oneof(fc.constantFrom(...FIELDS), fc.string({ maxLength: 5 })), anyValue, {
      maxKeys: 5,
    }),
    fc.record(
      { wait: anyDuration(WAIT), lockNames: anySet, minHold: anyDuration(MIN_HOLD) },
      { requiredKeys: [] },
    ),
    fc.constantFrom(true, false, false),
  )
  .map(([any, waiting, isWaiting]) => patient(isWaiting ? { ...any, ...waiting } : any));

export const nested = (depth: number, [open, close]: [string, string]) =>
  `{"ttl":1000,"metadata":{"a":${open.repeat(depth)}${close.repeat(depth)}}}`;

export const anyBody: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 6, arbitrary: fields.map((body) => JSON.stringify(body)) },
    { weight: 2, arbitrary: fc.json() },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '{"__proto__":{"polluted":true,"ttl":1000}}',
        '{"ttl":1000,"__proto__":{"polluted":true}}',
        '{"ttl":1000,"metadata":{"__proto__":{"polluted":true}}}',
        '{"ttl":1000,"metadata":{"constructor":{"prototype":{"polluted":true}}}}',
        '{"constructor":{"prototype":{"polluted":true}}}',
        '__proto__[polluted]=1&lockName=a&workerName=b&timeout=1',
        'constructor[prototype][polluted]=1',
        'lockName[]=a&lockName[]=b&workerName[a]=b&timeout=1',
        '{"ttl":1000,"ttl":"x"}',
        '{"ttl":1e400}',
        '\ufeff{"ttl":1000}',
        '{"ttl":1000',
        'null',
        '[]',
        '',
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.integer({ min: 30, max: 20_000 }),
          fc.constantFrom<[string, string]>(['[', ']'], ['{"a":', '}']),
        )
        .map(([depth, brackets]) => nested(depth, brackets).replace('{"a":}', '{"a":1}')),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom(9_000, 120_000, 1_200_000), fc.constantFrom(...FIELDS))
        .map(([size, field]) => JSON.stringify({ ttl: 1000, [field]: 'x'.repeat(size) })),
    },
  )
  .map((text) => Buffer.from(text));

export const anyBytes = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));

export const anyQuery = fc.oneof(
  fc.constant(''),
  urlText,
  fields.map(toForm),
  fc
    .array(fc.tuple(fc.constantFrom(...FIELDS), anyName), { maxLength: 6 })
    .map((pairs) => pairs.map(([name, value]) => `${name}=${encode(value)}`).join('&')),
);

export function toForm(parameters: Record<string, unknown>): string {
  const textOf = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
  return Object.entries(parameters)
    .map(([name, value]) => `${encode(name)}=${encode(textOf(value))}`)
    .join('&');
}

/** The fencing token of the lock `held`. */
export const HELD_TOKEN = 7;

/** What the routes take, by method and path or by the last step of their path. */
export const GOOD: Record<string, object> = {
  lease: { ttl: 60_000 },
  'lease-sets': { lockNames: ['job', 'free', 'expired'], ttl: 60_000 },
  leases: {
    requests: [
      { action: 'acquire', lockName: 'job', ttl: 60_000 },
      { action: 'acquire', lockName: 'held', ttl: 60_000 },
      { action: 'renew', lockName: 'held', grantId: randomUUID(), ttl: 60_000 },
      { action: 'release', lockName: 'free', grantId: randomUUID() },
      { action: 'acquire', lockName: 'free', ttl: 0 },
    ],
  },
  ':grantId': { ttl: 60_000 },
  'force-release': { reason: 'stuck' },
  'POST dblock/admin/api/locks': { lockName: 'free', ttl: 60_000 },
  'PATCH dblock/admin/api/locks/:lockName': { fencingToken: HELD_TOKEN, ttl: 60_000 },
  'POST dblock/admin/api/force-release': {
    reason: 'stuck',
    locks: [{ lockName: 'held', fencingToken: HELD_TOKEN }, { lockName: 'free' }],
  },
  'delete-released': { lockNames: ['free', 'expired', 'job'] },
  inspect: { lockNames: ['held', 'free', 'job'] },
  acquireLock: { lockName: 'django', workerName: 'ann', timeout: 60 },
  releaseLock: { lockName: 'held', workerName: 'ann' },
  getLockInfo: { lockName: 'held' },
};

/** What goes along with a request: what the route takes, with some fields changed; or anything. */
export const anyPayload = fc.oneof(
  { weight: 3, arbitrary: fc.record({ changes: fc.oneof(fc.constant({}), fields) }) },
  {
    weight: 2,
    arbitrary: fc.record({ query: anyQuery, body: fc.option(fc.oneof(anyBody, anyBody, anyBytes)) }),
  },
);

export function messageOf(
  route: Route,
  payload: { changes: object } | { query: string; body: Buffer | null },
  type: string,
): Message {
  const headers = { 'content-type': type };
  if ('query' in payload) return { headers, query: payload.query, body: payload.body ?? undefined };
  if (route.method === 'DELETE') return { query: toForm({ minHold: 1, ...payload.changes }) };
  const good = GOOD[`${route.method} ${route.path}`] ?? GOOD[route.path.split('/').at(-1)!];
  const parameters = { ...good, ...payload.changes };
  if (route.method === 'GET') return { query: toForm(parameters) };
  return { headers, body: type === FORM_TYPE ? toForm(parameters) : JSON.stringify(parameters) };
}
