import { MAX_NAME_LENGTH } from '../lease/names.js';

/** Where guards leave who is asking, in the order of preference. */
const NAMES = ['username', 'name', 'email', 'id', 'sub'] as const;

/** Who is asking, as the guard has left it in `request.user`; `unknown` where it left nothing. */
export function actorOf(request: object): string {
  const { user } = request as { user?: unknown };
  if (typeof user === 'string' && user) return storable(user);
  for (const name of NAMES) {
    const value = (user as Record<string, unknown> | undefined)?.[name];
    if ((typeof value === 'string' && value) || typeof value === 'number') return storable(String(value));
  }
  return 'unknown';
}

function storable(name: string): string {
  return [...name.toWellFormed().replaceAll('\0', '')].slice(0, MAX_NAME_LENGTH).join('') || 'unknown';
}
