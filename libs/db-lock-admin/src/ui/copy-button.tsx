import { ActionIcon } from '@mantine/core';
import { useState } from 'react';
import { useLanguage } from '../language/language';
import { Icon } from './icon';

const SHOWN = 1500;

export function CopyButton({ value, label }: { value: string; label: string }) {
  const { t } = useLanguage();
  const [copied, setCopied] = useState(false);

  const copy = async () => {
    await copyText(value);
    setCopied(true);
    setTimeout(() => {
      setCopied(false);
    }, SHOWN);
  };

  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="sm"
      aria-label={copied ? t('action.copied') : label}
      data-tip={label}
      onClick={() => void copy()}
    >
      <Icon name={copied ? 'check' : 'copy'} size={15} />
    </ActionIcon>
  );
}

/** Plain HTTP has no clipboard but this. */
async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  document.body.append(area);
  area.select();
  // eslint-disable-next-line typescript/no-deprecated
  document.execCommand('copy');
  area.remove();
}
