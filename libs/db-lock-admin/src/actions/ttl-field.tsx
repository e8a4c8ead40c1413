import { TextInput } from '@mantine/core';
import { useLanguage } from '../language/language';
import { useNow } from '../live/now';
import classes from './fields.module.css';
import { millisecondsOf, TTL_PRESETS } from './ttl';

interface TtlFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  error: string | null;
  required?: boolean;
  /** Where the dialog begins. */
  autoFocus?: boolean;
}

/** A TTL from now: presets, or anything that the server takes. Says when the lease would end. */
export function TtlField({ label, value, onChange, error, required, autoFocus }: TtlFieldProps) {
  const { t, formats } = useLanguage();
  const now = useNow();
  const ttl = millisecondsOf(value);
  return (
    <div>
      <TextInput
        label={label}
        description={ttl === null ? t('ttl.hint') : t('ttl.until', { time: formats.time(now + ttl, now) })}
        placeholder={t('ttl.placeholder')}
        value={value}
        error={error}
        required={required}
        data-autofocus={autoFocus || undefined}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => {
          onChange(event.currentTarget.value);
        }}
      />
      <div className={classes.presets} role="group" aria-label={t('ttl.presets')}>
        {TTL_PRESETS.map((preset) => (
          <button
            key={preset}
            type="button"
            className={classes.preset}
            aria-pressed={value === preset}
            onClick={() => {
              onChange(preset);
            }}
          >
            {formats.duration(millisecondsOf(preset)!)}
          </button>
        ))}
      </div>
    </div>
  );
}
