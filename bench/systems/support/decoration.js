/**
 * Puts a decorator on a method, as TypeScript does.
 *
 * @param {object} prototype
 * @param {string} method
 * @param {(prototype: any, method: any, descriptor: any) => any} decorator
 */
export function decorate(prototype, method, decorator) {
  const descriptor = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(prototype, method));
  Object.defineProperty(prototype, method, decorator(prototype, method, descriptor) ?? descriptor);
}

/** What is done under a lock: nothing, but later. */
export const work = async () => undefined;
