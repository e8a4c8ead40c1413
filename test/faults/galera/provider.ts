/** The library that makes several servers one. Debian's package galera-4 has it. */
export const PROVIDER = '/usr/lib/galera/libgalera_smm.so';
