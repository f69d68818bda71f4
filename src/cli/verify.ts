/** `rowback verify [REV …]` and `rowback verify --all [REV]` */

import { RowbackError } from '../errors.ts'
import { counted, countedWere, number } from '../number.ts'
import { withReplayProcess } from '../replay-process.ts'
import { type VerifyResult, verify } from '../verify.ts'
import { type VerifyAllResult, verifyAll } from '../verify-all.ts'
import { printAgreement } from './agreement-lines.ts'
import {
  type Context,
  demandedSigners,
  type ExtensionFlags,
  extensionsOf,
  knownRemotes,
  repositoryOf,
  type SignedFlags,
} from './context.ts'
import { lfsLine } from './lfs-line.ts'
import { seconds, shortId, signedBy } from './output.ts'

export interface VerifyFlags extends ExtensionFlags, SignedFlags {
  all?: boolean
  unlessProved?: boolean
}

export async function runVerify(context: Context, flags: VerifyFlags, revs: string[]): Promise<void> {
  if (flags.all) return runVerifyAll(context, flags, revs)
  const { output } = context
  const options = {
    ...repositoryOf(context, flags),
    unlessProved: flags.unlessProved,
    extensions: extensionsOf(context, flags),
    remotes: knownRemotes(context),
    signers: demandedSigners(context, flags),
    assetColumns: context.settings.assetColumns,
    onProgress: output.progress(),
  }
  const results: Verified[] = []
  await withReplayProcess(async (process) => {
    for (const rev of revs.length > 0 ? revs : ['latest']) {
      // The objects are read once for all of them.
      const objects = results.length === 0 ? undefined : false
      const result = await verify({ ...options, rev, objects, process })
      results.push(result)
      printVerified(context, result)
    }
  })
  output.document(results.length === 1 ? results[0] : { results })
}

type Verified = Awaited<ReturnType<typeof verify>>

function printVerified(context: Context, result: Verified): void {
  const { output } = context
  const { commit, signature, foreignKeyViolations, unreadable, unstable, agreement } = result
  printHealed(context, result)
  printLfs(context, result)
  output.line(resultLine(result))
  if (signature) output.line(`  ${signedBy(signature)}`)
  if (foreignKeyViolations > 0) {
    const rows = foreignKeyViolations === 1 ? '1 row names' : `${number(foreignKeyViolations)} rows name`
    output.warn(`${rows} a row that is not there, in the source as in the copy`)
  }
  if (unreadable > 0) {
    const paths = counted(unreadable, 'path')
    output.warn(`${shortId(commit)} is partial: ${paths} could not be read when it was made`)
  }
  if (unstable > 0)
    output.warn(`${counted(unstable, 'asset')} of ${shortId(commit)} kept changing when it was made`)
  if (agreement) printAgreement(output, agreement)
  output.times(result.timesMs)
}

async function runVerifyAll(context: Context, flags: VerifyFlags, revs: string[]): Promise<void> {
  const { output } = context
  const [rev, ...more] = revs
  if (more.length > 0) {
    throw new RowbackError('usage', `verify --all ${revs.join(' ')}: it walks from one REV`, {
      hint: 'rowback verify --all REV',
    })
  }
  const { repository, branch, engine } = repositoryOf(context, flags)
  const extensions = extensionsOf(context, flags)
  const remotes = knownRemotes(context)
  const signers = demandedSigners(context, flags)
  const result = await verifyAll({
    repository,
    branch,
    engine,
    rev,
    extensions,
    remotes,
    signers,
    onProgress: output.progress(),
  })
  printHealed(context, result)
  printLfs(context, result)
  if (result.failures.length > 0) throw failuresError(repository, result, signers !== undefined)
  const signed = signers === undefined ? '' : '; each has a signature that counts'
  output.line(`${allLine(result)}${signed}, in ${seconds(result.timesMs)}`)
  output.times(result.timesMs)
  output.document(result)
}

/** Told with --quiet, too: a disk that loses bytes loses more of them. */
function printHealed({ output }: Context, { healed }: Pick<VerifyResult, 'healed'>): void {
  if (healed === undefined) return
  const { objects, remote = 'the repository itself' } = healed
  const text = `${countedWere(objects.length, 'object')} damaged or missing, and came back from ${remote}`
  output.problem(`${text}: ${objects.join(' ')}`)
}

/** What came from a remote, of the contents in Git LFS. */
function printLfs({ output }: Context, { lfs }: Pick<VerifyResult, 'lfs'>): void {
  if (lfs === undefined) return
  const { healed, fetched } = lfs
  if (healed.length > 0) output.problem(lfsLine(healed, 'damaged, and came back from a remote'))
  if (fetched.length > 0) output.line(lfsLine(fetched, 'not here, and came from a remote'))
}

function allLine({ commits, proved, known, replayed, hashed }: VerifyAllResult): string {
  const trees = `${counted(proved, 'tree')} proved now, ${number(known)} before`
  const work = `${counted(replayed, 'database')} replayed, ${counted(hashed, 'asset')} read`
  return `${counted(commits, 'commit')} restore${commits === 1 ? 's' : ''}: ${trees}; ${work}`
}

/** A line for each commit that failed; whatever its own code is, the code is that of a failed proof. */
function failuresError(repository: string, result: VerifyAllResult, isSignedOnly: boolean): RowbackError {
  const { failures, commits } = result
  const head = `verify ${repository}: ${number(failures.length)} of ${counted(commits, 'commit')}`
  const lines = failures.map(({ commit, finding }) => `\n  ${shortId(commit)}: ${finding}`)
  const one = failures.length === 1
  const unsigned = isSignedOnly ? `, or ${one ? 'lacks' : 'lack'} a signature that counts` : ''
  const what = `${one ? 'does' : 'do'} not restore${unsigned}`
  return new RowbackError('difference', `${head} ${what}${lines.join('')}`, {
    hint: 'rowback log, then restore a commit that is not listed here',
    result,
  })
}

function resultLine({ proved, commit, rows, files, tree, timesMs }: VerifyResult): string {
  if (proved === 'before') return `${shortId(commit)} was proved before: tree ${shortId(tree)}`
  const held = `${counted(rows, 'row')} and ${counted(files, 'asset')}`
  return `${shortId(commit)} is proved: ${held} came back as tree ${shortId(tree)}, in ${seconds(timesMs)}`
}
