/** The environment for git's local plumbing. */

import { devNull } from 'node:os'

/**
 * An environment in which nothing of the user's git settings leaks in: global and system configuration are off,
 * every inherited `GIT_*` variable is dropped, messages are English, and git neither asks nor fetches.
 */
export function gitEnv(): NodeJS.ProcessEnv {
  return {
    ...inheritedEnv((name) => !name.startsWith('GIT_')),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: devNull,
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    // A partial clone must report a missing object, not download it.
    GIT_NO_LAZY_FETCH: '1',
  }
}

/** The variables of this process whose names are to be kept. */
export function inheritedEnv(isKept: (name: string) => boolean): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isKept(name)))
}
