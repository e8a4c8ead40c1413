import { Textarea } from '@mantine/core';
import { useLanguage } from '../language/language';

interface ReasonFieldProps {
  value: string;
  onChange: (value: string) => void;
  error?: string | null;
  required?: boolean;
}

/** Why: kept in the history, together with who. */
export function ReasonField({ value, onChange, error, required = false }: ReasonFieldProps) {
  const { t } = useLanguage();
  return (
    <Textarea
      label={t('field.reason')}
      description={t('reason.hint')}
      value={value}
      error={error}
      required={required}
      rows={2}
      data-autofocus={required || undefined}
      autoFocus={required}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
    />
  );
}
