import { ActionIcon, NativeSelect } from '@mantine/core';
import { useLanguage } from '../language/language';
import { navigate } from '../shell/route';
import { Icon } from '../ui/icon';
import classes from './list.module.css';
import { PAGE_SIZES, viewHref, type ListView } from './list-view';

interface PagerProps {
  view: ListView;
  total: number;
  /** How many are on this page. */
  shown: number;
}

export function Pager({ view, total, shown }: PagerProps) {
  const { t } = useLanguage();
  const first = (view.page - 1) * view.pageSize + 1;
  const lastPage = Math.max(1, Math.ceil(total / view.pageSize));
  const turn = (page: number) => {
    navigate(viewHref(view, { page }));
    window.scrollTo({ top: 0 });
  };
  return (
    <nav className={classes.pager} aria-label={t('pager.label')}>
      <span className={classes.range} role="status">
        {shown > 0 && t('pager.range', { first, last: first + shown - 1, total, count: total })}
      </span>
      <label className={classes.size}>
        <span>{t('pager.size')}</span>
        <NativeSelect
          size="xs"
          value={String(view.pageSize)}
          data={PAGE_SIZES.map(String)}
          onChange={(event) => {
            navigate(viewHref(view, { pageSize: Number(event.currentTarget.value) }));
          }}
        />
      </label>
      <span className={classes.pageOf}>{t('pager.page', { page: view.page, pages: lastPage })}</span>
      <ActionIcon.Group>
        <ActionIcon
          variant="default"
          size="md"
          aria-label={t('pager.previous')}
          disabled={view.page <= 1}
          onClick={() => {
            turn(view.page - 1);
          }}
        >
          <Icon name="chevronLeft" />
        </ActionIcon>
        <ActionIcon
          variant="default"
          size="md"
          aria-label={t('pager.next')}
          disabled={view.page >= lastPage}
          onClick={() => {
            turn(view.page + 1);
          }}
        >
          <Icon name="chevronRight" />
        </ActionIcon>
      </ActionIcon.Group>
    </nav>
  );
}
