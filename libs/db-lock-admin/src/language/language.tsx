import { createContext, Fragment, use, useLayoutEffect, useMemo, useState, type ReactNode } from 'react';
import type { MessageKey } from './catalogue';
import { Formats } from './formats';
import { catalogues, DEFAULT_LANGUAGE, preferredLanguage, storeLanguage } from './languages';
import { formOf, partsOf, type Values } from './message';

export type Translate = (key: MessageKey, values?: Values) => string;

export interface Language {
  tag: string;
  choose: (tag: string) => void;
  formats: Formats;
  t: Translate;
  /** The form of a message with its placeholders still in it. */
  form: (key: MessageKey, values?: Values) => string;
}

const LanguageContext = createContext<Language | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [tag, setTag] = useState(preferredLanguage);

  useLayoutEffect(() => {
    document.documentElement.lang = tag;
  }, [tag]);

  const language = useMemo(
    () =>
      speak(tag, (chosen) => {
        storeLanguage(chosen);
        setTag(chosen);
      }),
    [tag],
  );
  return <LanguageContext value={language}>{children}</LanguageContext>;
}

export function useLanguage(): Language {
  const language = use(LanguageContext);
  if (language === null) throw new Error('useLanguage() needs a LanguageProvider above it');
  return language;
}

/** A message whose placeholders are elements, such as the name of a lock. */
export function T({
  k,
  values = {},
  slots,
}: {
  k: MessageKey;
  values?: Values;
  slots: Record<string, ReactNode>;
}) {
  const { form, formats } = useLanguage();
  return partsOf(form(k, values)).map((part, index) =>
    'text' in part ? (
      part.text
    ) : (
      // The parts of a message have no other identity than their place in it.
      <Fragment key={index}>{slots[part.placeholder] ?? written(values[part.placeholder], formats)}</Fragment>
    ),
  );
}

function speak(tag: string, choose: (tag: string) => void): Language {
  const catalogue = catalogues.get(tag) ?? catalogues.get(DEFAULT_LANGUAGE)!;
  const formats = new Formats(tag);
  const form = (key: MessageKey, values: Values = {}) => formOf(catalogue[key], values, formats.plurals);
  const t: Translate = (key, values = {}) =>
    partsOf(form(key, values))
      .map((part) => ('text' in part ? part.text : written(values[part.placeholder], formats)))
      .join('');
  return { tag, choose, formats, t, form };
}

function written(value: string | number | undefined, formats: Formats): string {
  return typeof value === 'number' ? formats.number(value) : (value ?? '');
}
