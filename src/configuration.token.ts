/** The injection token of the server's Configuration. */
export const CONFIGURATION = Symbol('Configuration');
