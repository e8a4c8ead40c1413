import * as nest from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { ApiBody, ApiParam, ApiQuery } from '@nestjs/swagger';
import { z } from 'zod';
import { SchemaPipe } from '../server/parameters.js';

/**
 * From Nest 12 on, the document takes schemas as they are: of a parameter, and of an answer. Before, each is written down by hand, in the
 * place where it is used.
 */
export const takesSchemas = 'StandardSchemaValidationPipe' in nest;

/** A schema as a document of OpenAPI 3.0 has it. */
export function writtenOut(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...written } = z.toJSONSchema(schema, { target: 'openapi-3.0', io });
  return written;
}

/** Nest's numbers of what a parameter is taken from, the same in all versions. */
const BODY = 3;
const QUERY = 4;
const PATH = 5;

/** The parameters of a method as decorators that describe them, where the document would not see their schemas. */
export function parametersOf(controller: nest.Type, method: string): MethodDecorator[] {
  if (takesSchemas) return [];
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) as
    Record<string, { pipes: unknown[] }> | undefined;
  return Object.entries(parameters ?? {}).flatMap(([key, { pipes }]) => {
    const pipe = pipes.find((one) => one instanceof SchemaPipe);
    return pipe ? described(Number.parseInt(key, 10), pipe.schema) : [];
  });
}

function described(source: number, schema: z.ZodType): MethodDecorator[] {
  const written = writtenOut(schema, 'input') as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  if (source === BODY) return [ApiBody({ schema: written })];
  return Object.entries(written.properties ?? {}).flatMap(([name, { description, ...rules }]) => {
    const parameter = { name, description, schema: rules };
    if (source === PATH) return [ApiParam(parameter)];
    return source === QUERY
      ? [ApiQuery({ ...parameter, required: written.required?.includes(name) ?? false })]
      : [];
  });
}
