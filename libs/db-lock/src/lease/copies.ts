/**
 * Two copies of this package may meet in one process: its ES modules, and its CommonJS modules for tools that know only those. What one
 * has made, the other one must know: tokens, errors, the lease that a caller runs under.
 */

/** Changes when what is shared does: then copies of different versions keep to themselves. */
const SHAPE = 1;

/** A symbol that is the same in all copies. */
export const sharedSymbol = (name: string): symbol => Symbol.for(`nestjs-db-lock@${SHAPE}/${name}`);

/** A value that all copies have in common, made by the first of them. */
export function sharedValue<Value>(name: string, make: () => Value): Value {
  const values = globalThis as unknown as Record<symbol, Value | undefined>;
  return (values[sharedSymbol(name)] ??= make());
}

type AbstractClass = abstract new (...args: never[]) => object;
type Class = new (...args: never[]) => object;

/** `instanceof` knows what another copy has made of a class, and what is made of the classes that extend it. */
export function sharedClasses(classes: Record<string, AbstractClass>): void {
  for (const [name, type] of Object.entries(classes)) {
    const mark = sharedSymbol(`is ${name}`);
    Object.defineProperty(type.prototype, mark, { value: true });
    Object.defineProperty(type, Symbol.hasInstance, {
      value(this: unknown, value: unknown) {
        if (this !== type) return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
        return typeof value === 'object' && value !== null && mark in value && !Object.hasOwn(value, mark);
      },
    });
  }
}

/** The class of each copy, by name: who injects by a class may have it of another copy than the module. */
export function copiesOf(type: Class, name: string): ReadonlySet<Class> {
  const copies = sharedValue(`copies of ${name}`, () => new Set<Class>());
  copies.add(type);
  return copies;
}
