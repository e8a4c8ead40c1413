import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

type Message = string | Record<string, string>;

const FOLDER = new URL('../../libs/db-lock-admin/src/i18n/', import.meta.url);

/** What the page says, by its language and a key. */
export const catalogues: ReadonlyMap<string, Readonly<Record<string, Message>>> = new Map(
  await Promise.all(
    readdirSync(FOLDER).map(async (file) => {
      const { default: catalogue } = (await import(fileURLToPath(new URL(file, FOLDER)))) as {
        default: Record<string, Message>;
      };
      return [file.replace(/\.ts$/, ''), catalogue] as const;
    }),
  ),
);

/** The forms of a message: one, or one for each plural category. */
export const formsOf = (message: Message): string[] =>
  typeof message === 'string' ? [message] : Object.values(message);

/** What matches the whole text of a message, whatever stands for its placeholders. */
export function patternOf(message: Message): RegExp {
  const forms = formsOf(message).map((form) =>
    form
      .split(/\{\w+\}/)
      .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[^]*'),
  );
  return new RegExp(`^(?:${forms.join('|')})$`, 'u');
}
