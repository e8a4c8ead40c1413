/** The page's heading, where the focus goes when what had it is gone. */
export function focusHeading(): void {
  const heading = document.querySelector<HTMLElement>('main h1');
  if (heading === null) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** What has the focus, or, in a menu, which closes, what opened the menu; null when nothing has it that will stay. */
export function focusedElement(): HTMLElement | null {
  const focused = document.activeElement;
  const menu = focused?.closest('[role="menu"]');
  const element = menu ? document.getElementById(menu.getAttribute('aria-labelledby') ?? '') : focused;
  if (!(element instanceof HTMLElement) || element === document.body) return null;
  return element.closest('[role="dialog"]') === null ? element : null;
}

/**
 * Gives the focus back; to the heading when the element is gone, or goes before the operator does anything else: the button of
 * an act is often gone when the act has been done. Returns what ends the watch over it.
 */
export function giveFocusBack(element: HTMLElement | null): () => void {
  element?.focus({ preventScroll: true });
  if (element === null || document.activeElement !== element) {
    focusHeading();
    return () => undefined;
  }
  const watch = new MutationObserver(() => {
    if (element.isConnected) return;
    watch.disconnect();
    if (document.activeElement === document.body) focusHeading();
  });
  const end = () => {
    watch.disconnect();
  };
  watch.observe(document.body, { childList: true, subtree: true });
  // A blur comes too when the element is taken out, before it is.
  const onBlur = () => {
    setTimeout(() => {
      if (element.isConnected) end();
    });
  };
  element.addEventListener('blur', onBlur, { once: true });
  return end;
}
