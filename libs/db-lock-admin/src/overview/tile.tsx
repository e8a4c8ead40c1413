import { useLanguage } from '../language/language';
import classes from './overview.module.css';

interface TileProps {
  label: string;
  count: number;
  /** The list of what is counted. */
  href: string;
  /** More than none is worth a look. */
  hot?: boolean;
}

export function Tile({ label, count, href, hot = false }: TileProps) {
  const { formats } = useLanguage();
  return (
    <a className={classes.tile} href={href} data-hot={(hot && count > 0) || undefined}>
      <span className={classes.label}>{label}</span>
      <span className={classes.value}>{formats.number(count)}</span>
    </a>
  );
}
