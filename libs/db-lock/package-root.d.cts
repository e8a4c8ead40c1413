/** The absolute path of this package's directory. */
export const PACKAGE_ROOT: string;
