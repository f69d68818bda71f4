/** `rowback verify [REV …]` */

import { counted } from '../summary.ts'
import { type VerifyResult, verify } from '../verify.ts'
import { type CommonFlags, type Context, extensionsOf, repositoryOf } from './context.ts'
import { number, seconds, shortId } from './output.ts'

export interface VerifyFlags extends CommonFlags {
  extension?: string[]
  unlessProved?: boolean
}

export async function runVerify(context: Context, flags: VerifyFlags, revs: string[]): Promise<void> {
  const { output } = context
  const { unlessProved } = flags
  const results: VerifyResult[] = []
  for (const rev of revs.length > 0 ? revs : ['latest']) {
    const result = await verify({
      ...repositoryOf(context, flags),
      rev,
      unlessProved,
      extensions: extensionsOf(context, flags),
      onProgress: output.progress(),
    })
    results.push(result)
    output.line(resultLine(result))
    if (result.foreignKeyViolations > 0) {
      output.warn(
        `${counted(result.foreignKeyViolations, 'row')} name a row that is not there, in the source as in the copy`,
      )
    }
    output.times(result.timesMs)
  }
  output.document(results.length === 1 ? results[0] : { results })
}

function resultLine({ proved, commit, rows, files, tree, timesMs }: VerifyResult): string {
  if (proved === 'before') return `${shortId(commit)} was proved before: tree ${shortId(tree)}`
  const held = `${number(rows)} rows and ${counted(files, 'asset')}`
  return `${shortId(commit)} is proved: ${held} came back as tree ${shortId(tree)}, in ${seconds(timesMs)}`
}
