/** `rowback clone URL DIR` */

import { clone } from '../clone.ts'
import { counted } from '../number.ts'
import { type Context, type RemoteFlags, remotesOf } from './context.ts'
import { seconds, shortId } from './output.ts'

export interface CloneFlags extends Omit<RemoteFlags, 'remote' | 'repo'> {
  partial?: boolean
}

export async function runClone(context: Context, flags: CloneFlags, url: string, dir: string): Promise<void> {
  const { settings, output } = context
  const { remotes, retries } = remotesOf(context, { ...flags, remote: [url] })
  const result = await clone({
    remote: remotes[0] ?? { url },
    repository: dir,
    branch: settings.branch,
    engine: flags.engine ?? settings.engine,
    partial: flags.partial,
    hook: settings.hook,
    retries,
    onProgress: output.progress(),
  })
  const { commits, commit, warnings, timesMs } = result
  for (const warning of warnings) output.warn(warning)
  output.line(
    `cloned ${counted(commits, 'commit')} from ${result.remote} to ${result.repository}, the latest is ${shortId(commit)}, in ${seconds(timesMs)}`,
  )
  if (flags.partial && !result.partial)
    output.warn(
      'the server does not leave files out, so all were fetched: it needs git config uploadpack.allowFilter true',
    )
  output.times(timesMs)
  output.document(result)
}
