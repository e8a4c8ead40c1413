import type { Catalogue } from './catalogue';

const files = import.meta.glob<Catalogue>('../i18n/*.ts', { eager: true, import: 'default' });

/** Every file in `i18n` is a language; its name is the BCP 47 tag. */
export const catalogues: ReadonlyMap<string, Catalogue> = new Map(
  Object.entries(files).map(([path, catalogue]) => [path.slice('../i18n/'.length, -'.ts'.length), catalogue]),
);

export const DEFAULT_LANGUAGE = 'en';
const STORED = 'db-lock-language';

/** The language that was chosen before, or the first of the browser's languages that there is a file for. */
export function preferredLanguage(): string {
  const stored = localStorage.getItem(STORED);
  if (stored !== null && catalogues.has(stored)) return stored;
  for (const wanted of navigator.languages) {
    const match = closest(wanted);
    if (match !== undefined) return match;
  }
  return DEFAULT_LANGUAGE;
}

export function storeLanguage(language: string): void {
  localStorage.setItem(STORED, language);
}

/** `zh-CN` and `zh-Hans` are the same language in the same script; `zh-TW` is not, but is better off with it than with English. */
function closest(wanted: string): string | undefined {
  const { language, script } = new Intl.Locale(wanted).maximize();
  const sameLanguage = [...catalogues.keys()].filter((tag) => new Intl.Locale(tag).language === language);
  return sameLanguage.find((tag) => new Intl.Locale(tag).maximize().script === script) ?? sameLanguage[0];
}
