import { CloseButton } from '@mantine/core';
import { useEffect, useSyncExternalStore, type ReactNode } from 'react';
import { useLanguage } from '../language/language';
import { Icon } from './icon';
import classes from './toasts.module.css';

type Tone = 'good' | 'warning' | 'danger';

interface Toast {
  id: number;
  message: ReactNode;
  tone: Tone;
}

const SHOWN = 7000;
const MOST = 4;

let toasts: readonly Toast[] = [];
let count = 0;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Says what became of an act; it is spoken too. */
export function announce(message: ReactNode, tone: Tone = 'good'): void {
  count += 1;
  change([...toasts, { id: count, message, tone }].slice(-MOST));
}

/** What was announced lately. The element is always there, for only then is what appears in it spoken. */
export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className={classes.toasts} role="status" aria-live="polite">
      {shown.map((toast) => (
        <ToastBox key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastBox({ toast }: { toast: Toast }) {
  const { t } = useLanguage();
  const close = () => {
    change(toasts.filter(({ id }) => id !== toast.id));
  };
  useEffect(() => {
    const timer = setTimeout(() => {
      change(toasts.filter(({ id }) => id !== toast.id));
    }, SHOWN);
    return () => {
      clearTimeout(timer);
    };
  }, [toast.id]);
  return (
    <div className={classes.toast} data-tone={toast.tone}>
      <span className={classes.icon}>
        <Icon name={toast.tone === 'good' ? 'check' : 'alert'} />
      </span>
      <div className={classes.message}>{toast.message}</div>
      <CloseButton size="sm" aria-label={t('action.dismiss')} onClick={close} />
    </div>
  );
}
