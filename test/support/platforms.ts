import type { Platform } from './lock-application.js';

/** The HTTP servers that Nest runs on: what we promise over HTTP, we promise on each. */
export const PLATFORMS: Platform[] = ['express', 'fastify'];
