import type { Metadata } from '../api/contract';
import classes from './metadata-view.module.css';
import { visibleText } from './visible-text';

export function metadataText(metadata: Metadata | null): string {
  return metadata === null ? '' : JSON.stringify(metadata, null, 2);
}

/** JSON, indented; whatever is invisible in it is spelt out. */
export function MetadataView({ value, label }: { value: Metadata; label: string }) {
  return (
    // It scrolls, so the keyboard must reach it.
    <pre className={classes.json} tabIndex={0} role="region" aria-label={label}>
      {metadataText(value).split('\n').map(visibleLine).join('\n')}
    </pre>
  );
}

function visibleLine(line: string): string {
  const indent = /^ */.exec(line)![0];
  return indent + visibleText(line.slice(indent.length));
}
