/** How much of a server's limit our packets fill at most: the sizes of texts are estimated. */
const FILL = 0.5;

/** What a packet has besides the requests, and what each request adds to it without its texts, in bytes. */
const OF_PACKET = 4_000;
const OF_REQUEST = 1_000;

/** How often a name or a worker's name is written in a packet at most. */
const TIMES_WRITTEN = 12;

/** What a text may grow by when it is quoted: each backslash and quote becomes two. */
const QUOTED = 2;

/** What of a request may be long. */
export interface Sized {
  lockName: string;
  workerName?: string | null;
  metadata?: object | null;
  details?: object | null;
  reason?: string | null;
}

/** The requests in their order, in parts whose packets the server certainly takes: a batch of long names and much metadata may be too much. */
export function* partsOf<Request extends Sized>(
  requests: readonly Request[],
  maxPacket: number,
): Generator<readonly Request[]> {
  const room = maxPacket * FILL - OF_PACKET;
  let begin = 0;
  let filled = 0;
  for (const [index, request] of requests.entries()) {
    const size = sizeOf(request);
    if (filled + size > room && index > begin) {
      yield requests.slice(begin, index);
      begin = index;
      filled = 0;
    }
    filled += size;
  }
  if (begin < requests.length) yield begin === 0 ? requests : requests.slice(begin);
}

function sizeOf({ lockName, workerName, metadata, details, reason }: Sized): number {
  const names = (lockName.length + (workerName?.length ?? 0)) * BYTES * TIMES_WRITTEN;
  const json = jsonSize(metadata) + jsonSize(details);
  return OF_REQUEST + QUOTED * (names + json + (reason?.length ?? 0) * BYTES);
}

/** Of a UTF-16 unit in UTF-8, at most. */
const BYTES = 3;

const jsonSize = (value: object | null | undefined) => (value ? JSON.stringify(value).length * BYTES : 0);
