/** What names a lease. */
interface LeaseKey {
  lockName: string;
  grantId: string;
}

/** The requests in parts in which no lease is meant twice, each with the requests' indexes: nearly always one. */
export function roundsOfLeases(requests: readonly LeaseKey[]): number[][] {
  const ofLeases = indexesBy(requests, ({ lockName, grantId }) => `${grantId} ${lockName}`);
  if (ofLeases.length === requests.length) return [requests.map((_, index) => index)];
  const rounds: number[][] = [];
  for (const indexes of ofLeases) indexes.forEach((index, round) => (rounds[round] ??= []).push(index));
  return rounds;
}

/** The indexes of those that have the same key, in their order. */
function indexesBy<Request>(requests: readonly Request[], keyOf: (request: Request) => string): number[][] {
  const byKey = new Map<string, number[]>();
  for (const [index, request] of requests.entries()) {
    const indexes = byKey.get(keyOf(request));
    if (indexes) indexes.push(index);
    else byKey.set(keyOf(request), [index]);
  }
  return [...byKey.values()];
}
