import { useEffect, useEffectEvent } from 'react';

/** Two keys one after the other, such as `g l`, must follow within this time. */
const SEQUENCE = 1000;

/**
 * Calls back when a key, or two after each other, are pressed; not while somebody types, has a dialog or a menu open, or holds a
 * modifier, which belong to the browser.
 */
export function useShortcuts(shortcuts: Record<string, () => void>): void {
  const handle = useEffectEvent((keys: string): boolean => {
    const shortcut = shortcuts[keys];
    shortcut?.();
    return shortcut !== undefined;
  });

  useEffect(() => {
    let first: { key: string; at: number } | null = null;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isBusy(event.target))
        return;
      const begun = first !== null && performance.now() - first.at < SEQUENCE ? first.key : null;
      first = { key: event.key, at: performance.now() };
      // What came before may have nothing to do with it: Shift comes before `?`.
      if ((begun !== null && handle(`${begun} ${event.key}`)) || handle(event.key)) {
        event.preventDefault();
        first = null;
      }
    };
    document.addEventListener('keydown', onKeyDown);
    return () => {
      document.removeEventListener('keydown', onKeyDown);
    };
  }, []);
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"]:not([data-closing]), [role="menu"]') !== null) return true;
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio'].includes(target.type);
  return (
    target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
  );
}
