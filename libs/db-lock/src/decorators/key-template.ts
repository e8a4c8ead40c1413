import { InvalidLockRequestError } from '../lease/errors.js';
import { lockNameSchema } from '../lease/names.js';
import { parseRequest } from '../lease/requests.js';

const RULE =
  "may have placeholders such as {0} or {0.id}, the index of an argument and a path in it; braces are written '{{' and '}}'";

/** `{{`, `}}`, a placeholder, or a brace that is none of these. */
const BRACES = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/** An argument's index, and steps from there. */
const PATH = /^\d+(\.[^.\s]+)*$/;

/**
 * The name of a lock, made from a method's arguments: `'order:{0.id}'` is `order:` and the property `id` of the first one.
 */
export class KeyTemplate {
  readonly #parts: Array<string | Placeholder> = [];

  /** @throws InvalidLockRequestError when it is no template, or always makes an unfit name. */
  constructor(template: string) {
    let end = 0;
    for (const { 0: brace, 1: path, index } of template.matchAll(BRACES)) {
      this.#parts.push(template.slice(end, index));
      end = index + brace.length;
      if (brace === '{{' || brace === '}}') this.#parts.push(brace[0]!);
      else if (path !== undefined && PATH.test(path)) this.#parts.push(new Placeholder(path));
      else throw new InvalidLockRequestError([{ field: `key ${JSON.stringify(template)}`, rule: RULE }]);
    }
    this.#parts.push(template.slice(end));
    if (this.#parts.every((part) => typeof part === 'string'))
      parseRequest(lockNameSchema, this.nameFor([]), 'key');
  }

  /** @throws InvalidLockRequestError when an argument makes no name: no lock must be named `order:undefined`. */
  nameFor(args: readonly unknown[]): string {
    return this.#parts.map((part) => (typeof part === 'string' ? part : part.valueIn(args))).join('');
  }
}

/** A place in a template that an argument fills. */
class Placeholder {
  readonly #steps: readonly string[];

  constructor(private readonly path: string) {
    this.#steps = path.split('.');
  }

  valueIn(args: readonly unknown[]): string {
    let value: unknown = args;
    for (const step of this.#steps) value = (value as Record<string, unknown> | null | undefined)?.[step];
    if (['string', 'number', 'bigint', 'boolean'].includes(typeof value) && !Number.isNaN(value))
      return String(value);
    const what = value === null ? 'null' : Number.isNaN(value) ? 'NaN' : `a value of type ${typeof value}`;
    throw new InvalidLockRequestError([
      {
        field: `{${this.path}}`,
        rule: `must be a string, a number or a boolean in the arguments, and is ${what}`,
      },
    ]);
  }
}
