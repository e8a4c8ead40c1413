#!/usr/bin/env node
import 'reflect-metadata';
import { runProgram, sqlProgram } from '../cli/program.js';
import { surroundings } from '../cli/surroundings.js';

/** What it has ended with from the first version on when it was used wrongly. */
const USAGE = 2;

void runProgram(sqlProgram, process.argv.slice(2), surroundings(), USAGE).then((code) => process.exit(code));
