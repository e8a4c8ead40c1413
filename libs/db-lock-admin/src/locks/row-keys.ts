import { useShortcuts } from '../shell/shortcuts';

const LINKS = '[data-row-link]';

/** `j` and `k` walk over the rows, whose links then take Enter; `x` selects the row that has the focus, for who may. */
export function useRowKeys(select: ((lockName: string) => void) | null): void {
  useShortcuts({
    j: () => {
      step(1);
    },
    k: () => {
      step(-1);
    },
    ...(select && {
      x: () => {
        const lockName = document.activeElement?.closest<HTMLElement>('[data-row]')?.dataset.row;
        if (lockName !== undefined) select(lockName);
      },
    }),
  });
}

function step(by: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLElement>(LINKS)];
  const row = document.activeElement?.closest('tr');
  const at = links.findIndex((link) => row?.contains(link));
  const next =
    at === -1 ? (by === 1 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next]?.focus();
  links[next]?.closest('tr')?.scrollIntoView({ block: 'nearest' });
}
