/** Tokens of what one feature's module keeps to itself. */
export const FEATURE_SET_UP = Symbol('DbLock feature set-up');
export const FEATURE_CONTROLLERS = Symbol('DbLock controllers');
export const CHECKED_OPTIONS = Symbol('DbLock options');
/** The store, before any gate. */
export const OPENED_STORE = Symbol('DbLock store without a gate');
export const LOCK_STORE = Symbol('DbLock store');
export const MODULE_OPTIONS = Symbol('DbLock unchecked options');
export const LOCK_EVENTS = Symbol('DbLock events');

/** Who writes down what happens to locks; undefined where nobody does. */
export const HISTORY_RECORDER = Symbol('HistoryRecorder');
