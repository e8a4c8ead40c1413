import { readFileSync } from 'node:fs';

/** One fenced block of a Markdown file. */
export interface Block {
  language: string;
  /** From the comment `<!-- example: NAME -->` above it. */
  example?: string;
  text: string;
}

const FENCE = /(?:<!-- example: ([\w-]+) -->\s*)?^```(\w*)\n([\s\S]*?)^```$/gm;

/** The fenced blocks of a Markdown file, in their order. */
export function blocksOf(file: URL): Block[] {
  return [...readFileSync(file, 'utf8').matchAll(FENCE)].map(([, example, language, text]) => ({
    language: language!,
    example,
    text: text!,
  }));
}

/** The file that a TypeScript block says it is, in its first line: `// invoices.ts`. */
export function fileNameOf({ text }: Block): string {
  const name = /^\/\/ ([\w.-]+\.ts)$/m.exec(text.split('\n', 1)[0]!)?.[1];
  if (!name) throw new Error(`This block does not begin with the name of its file:\n${text}`);
  return name;
}
