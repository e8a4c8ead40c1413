import { createContext, use } from 'react';
import type { Access, Session } from '../api/contract';

const LEVELS: readonly Access[] = ['view', 'release', 'edit'];

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('useSession() needs a session above it');
  return session;
}

/** What the server calls who is not signed in. */
export const isNobody = (actor: string) => actor === 'unknown';

/** Whether the caller may do what needs this access. The server decides; the page only hides what would be refused. */
export function useMay(access: Access): boolean {
  return LEVELS.indexOf(useSession().access) >= LEVELS.indexOf(access);
}
