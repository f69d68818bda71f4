/** Opens the repository of a backup, or makes it. */

import { readdir } from 'node:fs/promises'
import { hasErrno } from './errors.ts'
import { createStore } from './git/create-store.ts'
import { openStore } from './git/open-store.ts'
import type { Store } from './git/store.ts'
import { installHook } from './hook.ts'

/** Opens the repository at `dir`; one that is missing or empty is made, with our hook unless told not to. */
export async function openOrCreateStore(
  dir: string,
  { branch, hook = true }: { branch?: string | undefined; hook?: boolean | undefined },
): Promise<Store> {
  if (!(await isVacant(dir))) return openStore(dir, { branch })
  const store = await createStore(dir, { branch })
  if (hook) await installHook(store.gitDir)
  return store
}

async function isVacant(dir: string): Promise<boolean> {
  try {
    return (await readdir(dir)).length === 0
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true
    if (hasErrno(error, 'ENOTDIR', 'EACCES')) return false
    throw error
  }
}
