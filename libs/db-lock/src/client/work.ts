/** What is done under one or several leases. */
export type Work<Held, Result> = (held: Held) => Result | Promise<Result>;

/** `(options, work)`, or `(work)` alone. */
export type OptionalOptions<Options, Work> = [Work] | [Options, Work];

export function splitOptions<Options, Work extends (...args: never[]) => unknown>(
  given: OptionalOptions<Options, Work>,
): [Options | undefined, Work] {
  return given.length === 1 ? [undefined, given[0]] : given;
}

/** Runs the work and releases what it ran under, whatever becomes of it; its result or error is passed on as it is. */
export async function workUnder<Held extends AsyncDisposable, Result>(
  held: Held,
  work: Work<Held, Result>,
): Promise<Result> {
  try {
    return await work(held);
  } finally {
    await held[Symbol.asyncDispose]();
  }
}
