import { Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DbLockModule } from 'nestjs-db-lock';

export const TOKEN = 'a secret of these two';

@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    return headers.authorization === `Bearer ${TOKEN}`;
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL, autoLoadEntities: true }),
    DbLockModule.forRoot({ createTables: true, guards: [TokenGuard], adminGuards: [TokenGuard] }),
  ],
})
class LockServerModule {}

/** An application that serves locks, on a free port. */
export async function startServer() {
  const app = await NestFactory.create(LockServerModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  return app;
}
