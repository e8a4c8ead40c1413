import type en from '../i18n/en';
import type { Message } from './message';

export type MessageKey = keyof typeof en;

/** What a language must say: exactly what English says. */
export type Catalogue = Record<MessageKey, Message>;
