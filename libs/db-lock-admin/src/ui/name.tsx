import classes from './name.module.css';
import { piecesOf } from './visible-text';

interface NameProps {
  value: string;
  /** On one line, cut at the end; the whole name is in the tooltip. */
  truncate?: boolean;
}

/** The name of a lock or a worker, which anybody may have chosen: shown harmlessly, and unlike any other. */
export function Name({ value, truncate = false }: NameProps) {
  return (
    <bdi
      className={truncate ? `${classes.name} ${classes.truncated}` : classes.name}
      data-tip={truncate ? value : undefined}
      data-tip-cut={truncate ? '' : undefined}
    >
      {piecesOf(value).map((piece, index) =>
        'text' in piece ? (
          piece.text
        ) : (
          // A piece has no other identity than its place.
          <span key={index} className={classes.token}>
            {piece.token}
          </span>
        ),
      )}
    </bdi>
  );
}
