import classes from './bones.module.css';

/** Stands where a text will be. */
export function Bone({ width }: { width: string }) {
  return <span className={classes.bone} style={{ width }} />;
}
