import { useLanguage } from '../language/language';
import { Notice } from '../ui/notice';

/** What a force release does not do. */
export function ForceWarning({ count }: { count: number }) {
  const { t } = useLanguage();
  return (
    <Notice tone="warning" title={t('force.warningTitle', { count })}>
      {t('force.warning', { count })}
    </Notice>
  );
}
