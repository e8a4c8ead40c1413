import { useMutation, useQueryClient } from '@tanstack/react-query';
import { readAgain } from '../api/queries';

interface ActionOptions<Answer> {
  /** The locks that it changes. */
  lockNames: (answer: Answer) => string[];
  onSuccess: (answer: Answer) => void;
}

/** Sends an action once; what it changed is read again, whether it succeeded or not. It is never repeated by itself. */
export function useAction<Input, Answer>(
  act: (input: Input) => Promise<Answer>,
  { lockNames, onSuccess }: ActionOptions<Answer>,
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    retry: false,
    onSuccess,
    onSettled: (answer) => {
      void readAgain(client, answer === undefined ? [] : lockNames(answer));
    },
  });
}
