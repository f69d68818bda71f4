/** The proof before a push: what leaves restores. */

import { RowbackError } from './errors.ts'
import { redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { withReplayProcess } from './replay-process.ts'
import { shellWord } from './shell.ts'
import { isFailedProof, type VerifyOptions, verifyCommit } from './verify.ts'

/** Proves what was not proved yet, and returns how many that were; nothing leaves together with a commit that fails. */
export async function verifyUnproved(
  store: Store,
  url: string,
  commits: string[],
  options: Pick<VerifyOptions, 'extensions' | 'onProgress'>,
): Promise<number> {
  let verified = 0
  await withReplayProcess(async (process) => {
    for (const commit of commits) {
      try {
        const { proved } = await verifyCommit(store, commit, { ...options, process, unlessProved: true })
        if (proved === 'now') verified += 1
      } catch (error) {
        throw isFailedProof(error) ? heldBack(store, url, commit, error) : error
      }
    }
  })
  return verified
}

function heldBack(store: Store, url: string, commit: string, error: RowbackError): RowbackError {
  const { code, message } = error
  const past = `git --git-dir=${shellWord(store.gitDir)} push --no-verify ${shellWord(redactUrl(url))} ${shellWord(store.branch)}`
  return new RowbackError(code, `push to ${redactUrl(url)}: ${message}; nothing was pushed`, {
    hint: `rowback verify ${commit.slice(0, 12)}, and to push all the same: ${past}`,
    cause: error,
  })
}
