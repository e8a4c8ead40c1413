const PATHS = {
  alert:
    'M12 9v4m0 3.5v.01M10.4 4.4 2.9 17.5A1.8 1.8 0 0 0 4.5 20h15a1.8 1.8 0 0 0 1.6-2.5L13.6 4.4a1.8 1.8 0 0 0-3.2 0Z',
  arrowDown: 'M12 5v14m-6-6 6 6 6-6',
  arrowUp: 'M12 19V5m-6 6 6-6 6 6',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  chevronDown: 'm6 9 6 6 6-6',
  chevronLeft: 'm14.5 6-6 6 6 6',
  chevronRight: 'm9.5 6 6 6-6 6',
  clock: 'M12 7v5l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z',
  close: 'm6 6 12 12M18 6 6 18',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  dots: 'M5 12h.01M12 12h.01M19 12h.01',
  download: 'M12 4v11m-5-4.5 5 4.5 5-4.5M5 20h14',
  edit: 'M4 20h4L19 9l-4-4L4 16v4Zm9-13 4 4',
  eraser:
    'M8 20h12M6.5 18.5 3.7 15.7a1.5 1.5 0 0 1 0-2.1l9.4-9.4a1.5 1.5 0 0 1 2.1 0l4.6 4.6a1.5 1.5 0 0 1 0 2.1L12 18.7 8 20l-1.5-1.5Z',
  gear: 'M4 7h10m4 0h2M4 17h2m4 0h10M14 4.5v5M10 14.5v5',
  group: 'M4 6h7l2 2h7v11H4z',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8',
  lock: 'M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z',
  minus: 'M5 12h14',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM3 20a6 6 0 0 1 12 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.4a6 6 0 0 1 3 5.6',
  plus: 'M12 5v14M5 12h14',
  queue: 'M4 6h16M4 12h10M4 18h6',
  refresh: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9.4M20 4.5v5h-5',
  search: 'm20 20-4.2-4.2M17.5 10.8a6.8 6.8 0 1 1-13.5 0 6.8 6.8 0 0 1 13.5 0Z',
  trash: 'M5 7h14M10 11v6m4-6v6M7 7l1 13h8l1-13M9 7V4h6v3',
  unlock: 'M7 11V8a5 5 0 0 1 9.6-2M5 11h14v9H5z',
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration: what it means is said in words beside it or in the label of its button. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'dots' ? 3 : 1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
