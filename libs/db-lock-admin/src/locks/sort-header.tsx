import { useLanguage } from '../language/language';
import { navigate } from '../shell/route';
import { Icon } from '../ui/icon';
import type { Column } from './columns';
import classes from './list.module.css';
import { firstOrderOf, viewHref, type ListView } from './list-view';

/** The head of a column; a click sorts by it, another one turns the order round. */
export function SortHeader({ column, view }: { column: Column; view: ListView }) {
  const { t } = useLanguage();
  const { sort } = column;
  const sorted = sort !== undefined && view.sort === sort;
  return (
    <th
      scope="col"
      data-column={column.id}
      data-numeric={column.numeric || undefined}
      aria-sort={sorted ? (view.order === 'asc' ? 'ascending' : 'descending') : undefined}
    >
      {sort === undefined ? (
        t(column.label)
      ) : (
        <button
          type="button"
          className={classes.sort}
          onClick={() => {
            const order = sorted ? (view.order === 'asc' ? 'desc' : 'asc') : firstOrderOf(sort);
            navigate(viewHref(view, { sort, order }));
          }}
        >
          {t(column.label)}
          <span className={classes.arrow} data-on={sorted || undefined}>
            <Icon name={sorted && view.order === 'desc' ? 'arrowDown' : 'arrowUp'} size={12} />
          </span>
        </button>
      )}
    </th>
  );
}
