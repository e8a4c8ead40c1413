import { Test } from '@nestjs/testing';
import { DbLockModule, DjangoDbLockClient, LockClient, type DbLockOptions } from 'nestjs-db-lock';

/** An application that keeps its locks on a remote server, and nothing else. */
export interface RemoteClient<Client> extends AsyncDisposable {
  client: Client;
  close(): Promise<void>;
}

/** Speaks our REST API. */
export function openLockClient(options: DbLockOptions): Promise<RemoteClient<LockClient>> {
  return open('rest', LockClient, options);
}

/** Speaks django-db-lock's contract. */
export function openDjangoDbLockClient(options: DbLockOptions): Promise<RemoteClient<DjangoDbLockClient>> {
  return open('django-db-lock', DjangoDbLockClient, options);
}

async function open<Client>(
  protocol: 'rest' | 'django-db-lock',
  token: abstract new (...args: never[]) => Client,
  options: DbLockOptions,
): Promise<RemoteClient<Client>> {
  const module = await Test.createTestingModule({
    imports: [DbLockModule.forRoot({ ...options, autoRegisterModel: false, protocol })],
  }).compile();
  module.useLogger(['error', 'fatal']);
  await module.init();
  const close = () => module.close();
  return { client: module.get<Client>(token), close, [Symbol.asyncDispose]: close };
}
