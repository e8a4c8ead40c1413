/** What a function of the application has thrown, for the log. */
export const describeError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** What it has returned: enough to find the mistake; an object may hold what is for no log. */
export const describeValue = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : `a value of the type ${typeof value}`;
