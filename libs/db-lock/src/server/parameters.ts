import { Body, Param, Query, type PipeTransform } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { z } from 'zod';
import { parseRequest } from '../lease/requests.js';

/**
 * Checks a parameter against its zod schema; an InvalidLockRequestError names each field and its rule. Nest's own pipe is there from
 * Nest 12 on only, goes by three promises a parameter, and drops what is called `constructor` in anybody's metadata.
 */
export class SchemaPipe implements PipeTransform {
  constructor(readonly schema: z.ZodType) {}

  transform(value: unknown): unknown {
    return parseRequest(this.schema, value, 'body');
  }
}

/** What Nest keeps of a parameter. */
interface ParameterMetadata {
  index: number;
  pipes: readonly unknown[];
  /** Where the OpenAPI document of Nest 12 finds the schema. */
  schema?: z.ZodType;
}

type Bind = (pipe: PipeTransform) => ParameterDecorator;

/** The body as the schema returns it. */
export const BodyOf = checkedBy((pipe) => Body(pipe));

/** The query as the schema returns it. */
export const QueryOf = checkedBy((pipe) => Query(pipe));

/** The parameters of the path as the schema returns them. */
export const PathOf = checkedBy((pipe) => Param(pipe));

function checkedBy(bind: Bind): (schema: z.ZodType) => ParameterDecorator {
  return (schema) => (controller, method, index) => {
    bind(new SchemaPipe(schema))(controller, method, index);
    const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller.constructor, method!) as Record<
      string,
      ParameterMetadata
    >;
    const parameter = Object.values(parameters).find(
      ({ index: place, pipes }) => place === index && pipes.some((pipe) => pipe instanceof SchemaPipe),
    );
    parameter!.schema = schema;
  };
}
