import { useMutation, useQueryClient } from '@tanstack/react-query';
import { readAgain } from '../api/queries';
import { useLanguage } from '../language/language';
import { problemText } from '../ui/problem-text';
import { announce } from '../ui/toasts';
import { visibleText } from '../ui/visible-text';

interface ActionOptions<Input, Answer> {
  /** What it is called. */
  title: string;
  /** Whether its dialog still shows how it goes; else what goes wrong is announced. */
  opened: boolean;
  /** The locks that it changes. */
  lockNames: (input: Input) => string[];
  onSuccess: (answer: Answer) => void;
}

/** Sends an action once; what it changed is read again, whether it succeeded or not. It is never repeated by itself. */
export function useAction<Input, Answer>(
  act: (input: Input) => Promise<Answer>,
  { title, opened, lockNames, onSuccess }: ActionOptions<Input, Answer>,
) {
  const client = useQueryClient();
  const { t } = useLanguage();
  return useMutation({
    mutationFn: act,
    retry: false,
    onSuccess,
    onError: (error, input) => {
      if (opened) return;
      const problem = problemText(error, t, { act: true });
      const said = [problem.title, problem.detail].filter((text) => text !== null).join(' · ');
      const [lockName, ...others] = lockNames(input);
      announce(
        lockName !== undefined && others.length === 0
          ? t('action.failedOn', { action: title, lock: visibleText(lockName), problem: said })
          : t('action.failed', { action: title, problem: said }),
        'danger',
      );
    },
    onSettled: () => {
      void readAgain(client);
    },
  });
}
