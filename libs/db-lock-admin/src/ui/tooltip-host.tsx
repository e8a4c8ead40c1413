import { useEffect, useId, useLayoutEffect, useRef, useState } from 'react';
import classes from './tooltip-host.module.css';
import { visibleText } from './visible-text';

interface Tip {
  anchor: HTMLElement;
  text: string;
}

const DELAY = 350;
const GAP = 6;

/**
 * Shows the `data-tip` of whatever the pointer or the focus is on: one tooltip for the whole page, since a list has hundreds of
 * places that have something to say. With `data-tip-cut` only when the element's own text is cut off.
 */
export function TooltipHost() {
  const [tip, setTip] = useState<Tip | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hide = () => {
      clearTimeout(timer);
      setTip(null);
    };
    const showLater = (event: Event, delay: number) => {
      const anchor = anchorOf(event.target);
      clearTimeout(timer);
      if (anchor === null) {
        setTip(null);
        return;
      }
      timer = setTimeout(() => {
        setTip(anchor.isConnected && speaks(anchor) ? { anchor, text: textOf(anchor) } : null);
      }, delay);
    };
    const onPointer = (event: PointerEvent) => {
      if (event.pointerType === 'mouse') showLater(event, DELAY);
    };
    const onFocus = (event: FocusEvent) => {
      if (event.target instanceof Element && event.target.matches(':focus-visible')) showLater(event, 0);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') hide();
    };
    document.addEventListener('pointerover', onPointer);
    document.addEventListener('pointerdown', hide);
    document.addEventListener('focusin', onFocus);
    document.addEventListener('focusout', hide);
    document.addEventListener('keydown', onKey);
    document.addEventListener('scroll', hide, { capture: true, passive: true });
    return () => {
      hide();
      document.removeEventListener('pointerover', onPointer);
      document.removeEventListener('pointerdown', hide);
      document.removeEventListener('focusin', onFocus);
      document.removeEventListener('focusout', hide);
      document.removeEventListener('keydown', onKey);
      document.removeEventListener('scroll', hide, { capture: true });
    };
  }, []);

  useLayoutEffect(() => {
    if (tip === null || box.current === null) return undefined;
    place(box.current, tip.anchor);
    tip.anchor.setAttribute('aria-describedby', id);
    return () => {
      tip.anchor.removeAttribute('aria-describedby');
    };
  }, [tip, id]);

  return (
    tip && (
      <div ref={box} id={id} role="tooltip" className={classes.tip} dir="ltr">
        {tip.text}
      </div>
    )
  );
}

function anchorOf(target: EventTarget | null): HTMLElement | null {
  if (!(target instanceof Element)) return null;
  // A focused link may hold the name that has the tooltip, or be held by it.
  return (
    target.closest<HTMLElement>('[data-tip]') ?? target.querySelector<HTMLElement>(':scope > [data-tip]')
  );
}

/** Names come from anybody, other tips from the catalogue. */
function textOf({ dataset }: HTMLElement): string {
  const text = dataset.tip ?? '';
  return dataset.tipCut === undefined ? text : visibleText(text);
}

function speaks(anchor: HTMLElement): boolean {
  return anchor.dataset.tipCut === undefined || anchor.scrollWidth > anchor.clientWidth;
}

function place(box: HTMLElement, anchor: HTMLElement): void {
  const at = anchor.getBoundingClientRect();
  const width = document.documentElement.clientWidth;
  const left = Math.min(
    Math.max(at.left + at.width / 2 - box.offsetWidth / 2, GAP),
    width - box.offsetWidth - GAP,
  );
  const above = at.top - box.offsetHeight - GAP;
  box.style.left = `${Math.max(left, GAP)}px`;
  box.style.top = `${above > GAP ? above : at.bottom + GAP}px`;
}
