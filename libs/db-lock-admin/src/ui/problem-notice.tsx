import { Button } from '@mantine/core';
import { isStatus } from '../api/problem';
import { useLanguage } from '../language/language';
import { Notice } from './notice';
import { problemText } from './problem-text';

interface ProblemNoticeProps {
  error: unknown;
  onRetry?: () => void;
  retrying?: boolean;
  /** What is shown below is what was read before. */
  stale?: boolean;
  /** It was an act that failed, not a read. */
  act?: boolean;
}

export function ProblemNotice({
  error,
  onRetry,
  retrying = false,
  stale = false,
  act = false,
}: ProblemNoticeProps) {
  const { t } = useLanguage();
  const { title, detail } = problemText(error, t, { act });
  const signedOut = isStatus(error, 401);
  return (
    <Notice
      tone="danger"
      title={title}
      urgent
      takesFocus={act}
      actions={
        signedOut ? (
          // The browser asks for credentials for the page, not for what the page asks for.
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              location.reload();
            }}
          >
            {t('problem.signIn')}
          </Button>
        ) : (
          onRetry && (
            <Button size="compact-sm" variant="default" loading={retrying} onClick={onRetry}>
              {t('action.retry')}
            </Button>
          )
        )
      }
    >
      {detail !== null && <div>{detail}</div>}
      {stale && <div>{t('problem.stale')}</div>}
    </Notice>
  );
}
