/** Revisions, by git (gitrevisions(7)). */

import { RowbackError } from '../errors.ts'
import { accessFault } from './access-fault.ts'
import { brokenRefs } from './branch.ts'
import { refsNamed } from './ref-name.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** The full id of the commit that `rev` names; see `Store.resolve`. */
export async function resolveRevision(store: Store, rev: string): Promise<string> {
  const what = `resolve ${JSON.stringify(rev)}`
  const unknown = new RowbackError('usage', `${what}: no such commit in ${store.dir}`, {
    hint: 'rowback log',
  })
  // git would take the first for an option; the second cannot be an argument.
  if (rev === '' || rev.startsWith('-') || rev.includes('\0')) throw unknown
  const name = rev.replace(/^latest(?=$|[~^])/, `refs/heads/${store.branch}`)
  const oid = await idOf(store, `${name}^{commit}`)
  if (oid !== undefined) return oid
  const fault = accessFault(store.gitDir)
  if (fault !== undefined) throw new RowbackError('repository', `${what}: ${fault}`)
  const broken = await faultBehind(store, name)
  if (broken === undefined) throw unknown
  throw new RowbackError('repository', `${what}: ${broken}`, { hint: 'rowback verify' })
}

/** The id of any object; undefined where git finds none, or cannot read what leads to it. */
async function idOf({ gitDir }: Store, name: string): Promise<string | undefined> {
  const parsed = await git(gitDir, ['rev-parse', '--verify', '--quiet', '--end-of-options', name])
  const oid = parsed.stdout.toString().trim()
  return parsed.code === 0 && /^[0-9a-f]{40}$/.test(oid) ? oid : undefined
}

/** What git cannot read on the way to a commit that it does not find; undefined where nothing is wrong. */
async function faultBehind(store: Store, name: string): Promise<string | undefined> {
  const { gitDir, branch } = store
  // Without the steps that lead on from there.
  const [base = ''] = /^(?:[^~^:@]|@(?!\{))*/.exec(name) ?? []
  const oid = base === '' ? undefined : await idOf(store, base)
  if (oid === undefined) {
    const broken = (await brokenRefs(gitDir)).find((ref) => refsNamed(base, branch).includes(ref))
    return broken && `ref ${broken} is broken`
  }
  const isById = /^[0-9a-f]+$/i.test(base) && oid.startsWith(base.toLowerCase())
  // A whole id is one, also of nothing.
  if (isById && (await git(gitDir, ['cat-file', '-e', oid])).code !== 0) return undefined
  const peeled = await idOf(store, `${oid}^{}`)
  if (peeled === undefined) return unreadable(oid)
  const type = await git(gitDir, ['cat-file', '-t', peeled])
  if (type.stdout.toString().trim() !== 'commit') return undefined
  const walked = await git(gitDir, ['rev-list', '--count', peeled, '--'])
  if (walked.code === 0) return undefined
  const [, lost] = /^error: Could not read ([0-9a-f]{40})$/m.exec(walked.stderr) ?? []
  return lost === undefined ? gitCause(walked) : unreadable(lost)
}

const unreadable = (oid: string) => `object ${oid} is damaged or missing`
