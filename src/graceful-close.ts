import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';

/** How often connections without a request are closed, in ms: clients keep them open, and the server would wait for them. */
const SWEEP_INTERVAL = 50;

/**
 * Closes the application when the process is told to end: requests in flight are answered, then the process exits with
 * 0; with 1 when that takes longer than `grace` milliseconds.
 */
export function closeOnSignals(app: NestFastifyApplication, grace: number, logger: Logger): void {
  const server = app.getHttpServer();
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const sweep = () => {
    server.closeIdleConnections();
    // Browsers connect ahead, which Node takes for a request that has begun.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };
  const close = async (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'Shutting down.');
    setTimeout(() => {
      logger.error({ grace }, 'The grace time is over: exiting all the same.');
      process.exit(1);
    }, grace);
    setInterval(sweep, SWEEP_INTERVAL);
    await app.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      close(signal).catch((error: unknown) => {
        logger.error({ err: error }, 'The shutdown failed.');
        process.exit(1);
      });
    });
}
