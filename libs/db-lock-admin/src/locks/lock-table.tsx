import { Checkbox } from '@mantine/core';
import type { Lock } from '../api/contract';
import { useLanguage } from '../language/language';
import { useMay } from '../shell/session';
import { Bone } from '../ui/bones';
import { COLUMNS } from './columns';
import classes from './list.module.css';
import type { ListView } from './list-view';
import { LockRow } from './lock-row';
import type { Selection } from './selection';
import { SortHeader } from './sort-header';

interface LockTableProps {
  view: ListView;
  /** null while they are read for the first time. */
  locks: Lock[] | null;
  selection: Selection;
  /** What is shown belongs to the view before this one. */
  outdated: boolean;
}

export function LockTable({ view, locks, selection, outdated }: LockTableProps) {
  const { t } = useLanguage();
  const selectable = useMay('release');
  const selected = locks?.filter(({ lockName }) => selection.has(lockName)).length ?? 0;
  const all = locks !== null && locks.length > 0 && selected === locks.length;
  return (
    <div className={classes.frame} data-outdated={outdated || undefined}>
      <table className={classes.table} aria-busy={locks === null || outdated}>
        <caption className={classes.hidden}>{t('list.caption')}</caption>
        <thead>
          <tr>
            {selectable && (
              <th scope="col" data-column="select">
                <Checkbox
                  size="xs"
                  aria-label={t('list.selectPage')}
                  checked={all}
                  indeterminate={selected > 0 && !all}
                  disabled={locks === null || locks.length === 0}
                  onChange={() => {
                    selection.setAll(locks ?? [], !all);
                  }}
                />
              </th>
            )}
            {COLUMNS.map((column) => (
              <SortHeader key={column.id} column={column} view={view} />
            ))}
            {selectable && (
              <th scope="col" data-column="act">
                <span className={classes.hidden}>{t('list.actions')}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {locks === null
            ? Array.from({ length: 12 }, (_, index) => (
                <BoneRow key={index} selectable={selectable} index={index} />
              ))
            : locks.map((lock) => (
                <LockRow
                  key={lock.lockName}
                  lock={lock}
                  selected={selection.has(lock.lockName)}
                  onToggle={selection.toggle}
                  selectable={selectable}
                />
              ))}
        </tbody>
      </table>
    </div>
  );
}

const BONE_WIDTHS = ['62%', '48%', '71%', '55%'];

function BoneRow({ selectable, index }: { selectable: boolean; index: number }) {
  return (
    <tr aria-hidden="true">
      {selectable && <td data-column="select" />}
      {COLUMNS.map(({ id, numeric }, column) => (
        <td key={id} data-column={id} data-numeric={numeric || undefined}>
          <Bone width={numeric ? '24px' : BONE_WIDTHS[(index + column) % BONE_WIDTHS.length]!} />
        </td>
      ))}
      {selectable && <td data-column="act" />}
    </tr>
  );
}
