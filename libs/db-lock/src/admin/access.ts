import { Reflector } from '@nestjs/core';
import type { IncomingHttpHeaders } from 'node:http';

/** From least to most; each may do what those before it may. */
const LEVELS = ['view', 'release', 'edit'] as const;

/** What somebody may do in the admin: `view` looks; `release` also frees locks by force; `edit` also creates, edits and deletes. */
export type AdminAccess = (typeof LEVELS)[number];

/** The platform's request, as `adminGuards` have left it. Annotate the parameter with your own type to see the rest. */
export interface AdminRequest {
  readonly user?: unknown;
  readonly session?: unknown;
  readonly headers?: IncomingHttpHeaders;
  readonly ip?: string;
}

/** What somebody may do; null or undefined: not even look. */
export type ResolvedAccess = AdminAccess | null | undefined;

/** Says what a route of the admin needs. Without it: `view`. */
export const RequiresAccess = Reflector.createDecorator<AdminAccess>();

const granted = new WeakMap<object, AdminAccess>();

/** Remembers with the request what its sender may do. */
export function grantAccess(request: object, access: AdminAccess): void {
  granted.set(request, access);
}

/** What the sender of a request may do, as the AccessGuard has found out. */
export function accessOf(request: object): AdminAccess {
  return granted.get(request) ?? 'view';
}

export function isAccess(value: unknown): value is AdminAccess {
  return LEVELS.includes(value as AdminAccess);
}

/** Whether who has the one may do what needs the other. */
export function suffices(access: AdminAccess, required: AdminAccess): boolean {
  return LEVELS.indexOf(access) >= LEVELS.indexOf(required);
}
