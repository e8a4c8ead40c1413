import { Button, Loader, Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import { useLanguage } from '../language/language';
import classes from './dialog.module.css';

export interface DialogState {
  opened: boolean;
  onClose: () => void;
}

interface DialogProps extends DialogState {
  title: string;
  size?: number;
  /** A request is under way, which closing does not stop: then nothing closes it by the way. */
  busy?: boolean;
  children: ReactNode;
}

export function Dialog({ opened, onClose, title, size = 520, busy = false, children }: DialogProps) {
  const { t } = useLanguage();
  return (
    <Modal.Root
      opened={opened}
      onClose={onClose}
      size={size}
      closeOnEscape={!busy}
      closeOnClickOutside={!busy}
    >
      <Modal.Overlay backgroundOpacity={0.45} />
      <Modal.Content data-closing={!opened || undefined}>
        {/* Not Modal.Header: its <header> would be the page's second. */}
        <div className={classes.head}>
          <Modal.Title>{title}</Modal.Title>
          <Modal.CloseButton aria-label={t('action.close')} />
        </div>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

interface FormProps {
  onSubmit: () => void;
  onCancel: () => void;
  submitLabel: string;
  /** What it does can't be undone. */
  danger?: boolean;
  disabled?: boolean;
  busy: boolean;
  children: ReactNode;
}

/** What a dialog asks, and its two ways out. */
export function DialogForm({ onSubmit, onCancel, submitLabel, danger, disabled, busy, children }: FormProps) {
  const { t } = useLanguage();
  return (
    <form
      className={classes.form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!disabled && !busy) onSubmit();
      }}
    >
      {children}
      <div className={classes.buttons}>
        <span className={classes.underWay} role="status">
          {busy && t('action.underWay')}
        </span>
        <Button variant="default" onClick={onCancel}>
          {t(busy ? 'action.close' : 'action.cancel')}
        </Button>
        {/* Not its own way to load: what is disabled loses the focus. */}
        <Button
          type="submit"
          color={danger ? 'red.9' : undefined}
          disabled={disabled}
          aria-disabled={busy || undefined}
          leftSection={busy && <Loader size={14} color="currentColor" />}
        >
          {submitLabel}
        </Button>
      </div>
    </form>
  );
}
