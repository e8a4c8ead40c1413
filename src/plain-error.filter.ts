import { Catch } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** Answers errors as Nest does by itself, not as problems. */
@Catch()
export class PlainErrorFilter extends BaseExceptionFilter {}
