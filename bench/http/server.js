import { Controller, Delete, HttpCode, Post, Body } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { decorate } from '../systems/support/decoration.js';
import { lockModules } from '../systems/support/lock-application.js';

/**
 * The process of an HTTP server: a Nest application that serves locks and, for comparison, echoes. Its arguments are the
 * platform, the port and the database's address; it tells when it listens, and ends with the process that started it.
 */

/** What a pair of requests costs that does nothing: in the shape of a lease, whose body comes back. */
class EchoController {
  /** @param {object} body */
  create(body) {
    return body;
  }

  remove() {}
}

Controller('echo/:name/lease')(EchoController);
decorate(EchoController.prototype, 'create', Post());
Body()(EchoController.prototype, 'create', 0);
decorate(EchoController.prototype, 'remove', Delete(':id'));
decorate(EchoController.prototype, 'remove', HttpCode(204));

const [platform, port, url] = process.argv.slice(2);
const app = await NestFactory.create(
  {
    module: class Application {},
    imports: lockModules(url, { public: true, autoRegisterServices: true }),
    controllers: [EchoController],
  },
  platform === 'express'
    ? new ExpressAdapter()
    : new FastifyAdapter({ routerOptions: { maxParamLength: 510 } }),
  { logger: ['fatal'] }, // Errors are the caller's to tell.
);
process.once('disconnect', () => process.exit());
await app.listen(Number(port), '127.0.0.1');
process.send?.('listens');
