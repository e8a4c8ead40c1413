import { Button } from '@mantine/core';
import { useLanguage } from '../language/language';
import { Notice } from './notice';
import { problemText } from './problem-text';

interface ProblemNoticeProps {
  error: unknown;
  onRetry?: () => void;
  retrying?: boolean;
  /** What is shown below is what was read before. */
  stale?: boolean;
}

export function ProblemNotice({ error, onRetry, retrying = false, stale = false }: ProblemNoticeProps) {
  const { t } = useLanguage();
  const { title, detail } = problemText(error, t);
  return (
    <Notice
      tone="danger"
      title={title}
      urgent
      actions={
        onRetry && (
          <Button size="compact-sm" variant="default" loading={retrying} onClick={onRetry}>
            {t('action.retry')}
          </Button>
        )
      }
    >
      {detail !== null && <div>{detail}</div>}
      {stale && <div>{t('problem.stale')}</div>}
    </Notice>
  );
}
