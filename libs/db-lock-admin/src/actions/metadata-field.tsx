import { Textarea } from '@mantine/core';
import type { Metadata } from '../api/contract';
import { useLanguage, type Translate } from '../language/language';
import classes from './fields.module.css';

export type ParsedMetadata = { value: Metadata | null } | { error: string };

/** A JSON object; an empty text is none. */
export function parseMetadata(text: string, t: Translate): ParsedMetadata {
  if (text.trim() === '') return { value: null };
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { error: t('metadata.notObject') };
    }
    return { value: value as Metadata };
  } catch (error) {
    return { error: t('metadata.notJson', { detail: error instanceof Error ? error.message : '' }) };
  }
}

interface MetadataFieldProps {
  value: string;
  onChange: (value: string) => void;
  error: string | null;
}

export function MetadataField({ value, onChange, error }: MetadataFieldProps) {
  const { t } = useLanguage();
  return (
    <Textarea
      className={classes.json}
      label={t('field.metadata')}
      description={t('metadata.hint')}
      value={value}
      error={error}
      rows={Math.min(10, Math.max(3, value.split('\n').length))}
      resize="vertical"
      autoComplete="off"
      spellCheck={false}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
    />
  );
}
