import { ForbiddenException, HttpException, Logger } from '@nestjs/common';
import { MAX_NAME_LENGTH, workerNameSchema } from '../lease/names.js';
import { describeError, describeValue } from './mistake.js';

/** Who somebody is in the history; null, undefined or an empty string: nobody knows. */
export type ResolvedActor = string | null | undefined;

/** Where guards leave who is asking. What people may give themselves comes last: it need not be theirs alone. */
const NAMES = ['username', 'email', 'id', 'sub', 'name'] as const;

const UNKNOWN = 'unknown';

type Resolve = (request: object) => ResolvedActor | Promise<ResolvedActor>;

/** Finds out who is asking, as the history names them. */
export class Actors {
  readonly #logger = new Logger('DbLock');

  constructor(private readonly resolve?: Resolve) {}

  /**
   * @returns `unknown` for somebody without a name
   * @throws HttpException when it could not be found out: nobody may act under another name than their own
   */
  async of(request: object): Promise<string> {
    if (!this.resolve) return userOf(request);
    const actor = await this.#resolved(this.resolve, request);
    if (actor === null || actor === undefined || actor === '') return UNKNOWN;
    if (workerNameSchema.safeParse(actor).success) return actor as string;
    this.#logger.error(
      `resolveActor returned ${describeValue(actor)}, so the request is refused. It must return a text of 1 to ${MAX_NAME_LENGTH} ` +
        'storable characters, or null.',
    );
    throw unknownActor();
  }

  async #resolved(resolve: Resolve, request: object): Promise<unknown> {
    try {
      return await resolve(request);
    } catch (error) {
      if (error instanceof HttpException) throw error;
      this.#logger.error(`resolveActor failed, so the request is refused: ${describeError(error)}`);
      throw unknownActor();
    }
  }
}

const unknownActor = () => new ForbiddenException('It could not be found out who you are.');

/** Who is asking, as the guard has left it in `request.user`. */
function userOf(request: object): string {
  const { user } = request as { user?: unknown };
  if (typeof user === 'string' && user) return storable(user);
  for (const name of NAMES) {
    const value = (user as Record<string, unknown> | undefined)?.[name];
    if ((typeof value === 'string' && value) || typeof value === 'number') return storable(String(value));
  }
  return UNKNOWN;
}

function storable(name: string): string {
  return [...name.toWellFormed().replaceAll('\0', '')].slice(0, MAX_NAME_LENGTH).join('') || UNKNOWN;
}
