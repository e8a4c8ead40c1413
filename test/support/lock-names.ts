/** Names that a careless way through HTTP or SQL would bend: each is a lock of its own. */
export const AWKWARD_NAMES = [
  'Job',
  'job',
  'job ',
  ' job',
  'jöb',
  'jo\u0308b',
  'a b',
  'a+b',
  'a/b',
  'a%2Fb',
  '/',
  '//',
  'a/../b',
  '...',
  '%',
  '100%',
  '%00',
  '%2e%2e',
  'a&b=c',
  'a?b#c;d',
  'a\\b',
  `it's "quoted" \`so\``,
  'line\nbreak\ttab\r',
  '\u007f\u0001',
  '任务:42',
  '\u202eright to left',
  '\ufeffbom',
  '👩‍👩‍👧‍👦',
  '__proto__',
  'constructor',
  'null',
  '🔒'.repeat(255),
  'x'.repeat(255),
];

let names = 0;

/** A name that no other test of the suite uses. */
export const uniqueName = (): string => `job:${++names}`;
