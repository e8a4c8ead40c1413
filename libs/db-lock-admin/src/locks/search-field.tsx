import { CloseButton, TextInput } from '@mantine/core';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useLanguage } from '../language/language';
import { useShortcuts } from '../shell/shortcuts';
import { Icon } from '../ui/icon';

const PAUSE = 250;

interface SearchFieldProps {
  value: string;
  onSearch: (search: string) => void;
}

/** Searches when the operator pauses, or at once by Enter. */
export function SearchField({ value, onSearch }: SearchFieldProps) {
  const { t } = useLanguage();
  const [text, setText] = useState(value);
  const [searched, setSearched] = useState(value);
  const input = useRef<HTMLInputElement>(null);

  // The address changed by other means: a link, the way back.
  if (value !== searched) {
    setSearched(value);
    setText(value);
  }

  const search = useEffectEvent((wanted: string) => {
    if (wanted === searched) return;
    setSearched(wanted);
    onSearch(wanted);
  });
  useEffect(() => {
    const timer = setTimeout(() => {
      search(text);
    }, PAUSE);
    return () => {
      clearTimeout(timer);
    };
  }, [text]);

  useShortcuts({ '/': () => input.current?.focus() });

  const searchNow = (wanted: string) => {
    setText(wanted);
    if (wanted === searched) return;
    setSearched(wanted);
    onSearch(wanted);
  };

  return (
    <TextInput
      ref={input}
      type="search"
      size="sm"
      aria-label={t('list.search')}
      placeholder={t('list.search')}
      leftSection={<Icon name="search" size={15} />}
      rightSection={
        text !== '' && (
          <CloseButton
            size="sm"
            aria-label={t('list.clearSearch')}
            onClick={() => {
              searchNow('');
              input.current?.focus();
            }}
          />
        )
      }
      value={text}
      maxLength={255}
      autoComplete="off"
      autoCapitalize="off"
      spellCheck={false}
      onChange={(event) => {
        setText(event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter') searchNow(text);
        if (event.key === 'Escape') {
          if (text !== '') searchNow('');
          else input.current?.blur();
        }
      }}
    />
  );
}
