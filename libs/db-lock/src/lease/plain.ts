import type { z } from 'zod';

/** What a schema makes of a value, where that is easy to tell; undefined where only the schema can tell. */
export type Plain<Output> = (value: unknown) => Output | undefined;

const plains = new WeakMap<z.ZodType, Plain<unknown>>();

/**
 * Gives a schema a short way for what nearly every request looks like, at a tenth of the cost. The schema decides on everything else: only
 * it says what is wrong.
 */
export function withPlain<Schema extends z.ZodType>(schema: Schema, plain: Plain<z.output<Schema>>): Schema {
  plains.set(schema, plain);
  return schema;
}

/** What the schema certainly makes of the value; undefined when the schema must be asked. */
export function plainly<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> | undefined {
  return plains.get(schema)?.(value) as z.output<Schema> | undefined;
}

/** Whether a field's value passes as it is. */
export type Check<Value = unknown> = (value: unknown) => value is Value;

/** The fields of an object by their checks; a field whose check takes `undefined` need not be there. */
type PlainFields = Readonly<Record<string, Check>>;

type Checked<Value> = Value extends Check<infer Type> ? Type : never;
type Checkeds<Fields extends PlainFields> = { [Name in keyof Fields]: Checked<Fields[Name]> };

/** Tells whether a value is an object that has these fields, each as its check wants it, and no others. */
export function plainObject<Fields extends PlainFields>(
  fields: Fields,
): (value: unknown) => value is Checkeds<Fields> {
  const names = Object.keys(fields);
  const known = new Set(names);
  return (value): value is Checkeds<Fields> => {
    if (typeof value !== 'object' || value === null || !isPlain(value)) return false;
    for (const name in value) if (!known.has(name)) return false;
    for (const name of names) if (!fields[name]!((value as Record<string, unknown>)[name])) return false;
    return true;
  };
}

/** No array, date or map, and nothing of a class of its own. Parsers of queries and paths have an empty prototype of theirs. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

export const isWhole =
  (least: number, most: number): Check<number> =>
  (value): value is number =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

export const isBoolean: Check<boolean> = (value) => typeof value === 'boolean';

export const isNothing: Check<null | undefined> = (value) => value === null || value === undefined;

export const orAbsent =
  <Value>(check: Check<Value>): Check<Value | undefined> =>
  (value): value is Value | undefined =>
    value === undefined || check(value);
