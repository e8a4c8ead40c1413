import { sharedSymbol } from '../lease/copies.js';

/** Tokens of what one feature's module keeps to itself. */
export const FEATURE_SET_UP = sharedSymbol('feature set-up');
export const FEATURE_CONTROLLERS = sharedSymbol('controllers');
export const CHECKED_OPTIONS = sharedSymbol('options');
/** The store, before any gate. */
export const OPENED_STORE = sharedSymbol('store without a gate');
export const LOCK_STORE = sharedSymbol('store');
export const MODULE_OPTIONS = sharedSymbol('unchecked options');
export const LOCK_EVENTS = sharedSymbol('events');

/** Who writes down what happens to locks; undefined where nobody does. */
export const HISTORY_RECORDER = sharedSymbol('HistoryRecorder');
