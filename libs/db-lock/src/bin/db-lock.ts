#!/usr/bin/env node
import 'reflect-metadata';
import { lockProgram, runProgram } from '../cli/program.js';
import { surroundings } from '../cli/surroundings.js';

void runProgram(lockProgram, process.argv.slice(2), surroundings()).then((code) => process.exit(code));
