import { runUnder, type Hold } from './lease-context.js';

/** What is done under one or several leases. */
export type Work<Held, Result> = (held: Held) => Result | Promise<Result>;

/** `(options, work)`, or `(work)` alone. */
export type OptionalOptions<Options, Work> = [Work] | [Options, Work];

export function splitOptions<Options, Work extends (...args: never[]) => unknown>(
  given: OptionalOptions<Options, Work>,
): [Options | undefined, Work] {
  return given.length === 1 ? [undefined, given[0]] : given;
}

/**
 * Runs the work and releases what it ran under, unless other works still run under it; whatever becomes of the work, its
 * result or error is passed on as it is.
 */
export async function workUnder<Result>(
  holds: readonly Hold[],
  work: () => Result | Promise<Result>,
): Promise<Result> {
  for (const hold of holds) hold.enter();
  try {
    return await runUnder(holds, work);
  } finally {
    if (holds.length === 1) await holds[0]!.leave();
    else await Promise.all(holds.map((hold) => hold.leave()));
  }
}
