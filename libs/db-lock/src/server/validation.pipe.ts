import { StandardSchemaValidationPipe } from '@nestjs/common';
import { invalidRequest } from '../lease/requests.js';

/** Checks parameters against their zod schemas; an InvalidLockRequestError names each field and its rule. */
export const validationPipe = (): StandardSchemaValidationPipe =>
  new StandardSchemaValidationPipe({ exceptionFactory: (issues) => invalidRequest(issues) });
