import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { parseRequest } from '../lease/requests.js';

/**
 * Checks parameters against their zod schemas; an InvalidLockRequestError names each field and its rule. Nest's own pipe
 * goes by three promises a parameter, and drops what is called `constructor` in anybody's metadata.
 */
class ValidationPipe implements PipeTransform {
  transform(value: unknown, { schema }: ArgumentMetadata): unknown {
    return schema ? parseRequest(schema as z.ZodType, value, 'body') : value;
  }
}

export const validationPipe = (): PipeTransform => new ValidationPipe();
