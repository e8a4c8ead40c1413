import { useGroups } from '../api/queries';
import { useLanguage } from '../language/language';
import { Bone } from '../ui/bones';
import { Icon } from '../ui/icon';
import { Name } from '../ui/name';
import { ProblemNotice } from '../ui/problem-notice';
import classes from './list.module.css';
import { filterOf, viewHref, type ListView } from './list-view';

const COUNTS = ['total', 'held', 'expired', 'released', 'waiting'] as const;

/** The names below the prefix, grouped up to their next colon; each group leads one step down. */
export function GroupTable({ view }: { view: ListView }) {
  const { t, formats } = useLanguage();
  const groups = useGroups(filterOf(view), true);
  if (groups.error && !groups.data) {
    return (
      <ProblemNotice
        error={groups.error}
        onRetry={() => void groups.refetch()}
        retrying={groups.isFetching}
      />
    );
  }
  if (groups.data?.items.length === 0) {
    return <p className={classes.noGroups}>{t(view.prefix === '' ? 'groups.none' : 'groups.noneBelow')}</p>;
  }
  return (
    <div className={classes.frame} data-outdated={groups.isPlaceholderData || undefined}>
      <table className={`${classes.table} ${classes.groups}`} aria-busy={groups.isPending}>
        <caption className={classes.hidden}>{t('groups.caption')}</caption>
        <thead>
          <tr>
            <th scope="col" data-column="group">
              {t('groups.prefix')}
            </th>
            {COUNTS.map((count) => (
              <th key={count} scope="col" data-column={count} data-numeric>
                {t(`groups.${count}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {groups.data === undefined
            ? [0, 1, 2].map((row) => (
                <tr key={row} aria-hidden="true">
                  <td data-column="group">
                    <Bone width="40%" />
                  </td>
                  {COUNTS.map((count) => (
                    <td key={count} data-column={count} data-numeric>
                      <Bone width="24px" />
                    </td>
                  ))}
                </tr>
              ))
            : groups.data.items.map((group) => (
                <tr key={group.prefix}>
                  <th scope="row" data-column="group">
                    <a
                      className={classes.group}
                      href={viewHref(view, { prefix: group.prefix })}
                      data-row-link
                    >
                      <Icon name="group" />
                      <Name value={group.prefix} truncate />
                      <Icon name="chevronRight" size={14} />
                    </a>
                  </th>
                  {COUNTS.map((count) => (
                    <td key={count} data-column={count} data-numeric>
                      {group[count] === 0 ? (
                        <span className={classes.none}>0</span>
                      ) : count === 'waiting' ? (
                        <strong className={classes.waiting}>{formats.number(group[count])}</strong>
                      ) : (
                        formats.number(group[count])
                      )}
                    </td>
                  ))}
                </tr>
              ))}
        </tbody>
      </table>
      {groups.data?.truncated && (
        <p className={classes.truncated}>{t('groups.truncated', { count: groups.data.items.length })}</p>
      )}
    </div>
  );
}
