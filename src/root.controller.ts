import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pathsOf } from './addresses.js';
import { CONFIGURATION } from './configuration.token.js';
import type { Configuration } from './configuration.js';

/** The server's root, for those who have nothing but its address. Open to everybody who can reach the server. */
@Controller()
@ApiExcludeController()
export class RootController {
  constructor(@Inject(CONFIGURATION) private readonly configuration: Configuration) {}

  /** Sends browsers to the admin, or to the API docs where it is not served; tells programs what is served where. */
  @Get()
  root(@Req() { headers }: FastifyRequest, @Res() reply: FastifyReply): void {
    const { api, admin, docs, health, metrics } = pathsOf(this.configuration);
    reply.header('Vary', 'Accept');
    // Relative, so that it is right behind a proxy that serves us below a path, too.
    if (headers.accept?.includes('text/html')) reply.redirect(admin ?? docs, 302);
    else reply.send({ api, admin: admin ?? null, docs, health, metrics: metrics ?? null });
  }
}
