/** The pre-push hook that `backup` installs into a repository it makes: nothing leaves that does not restore. */

import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFile } from './durable.ts'
import { errorText, hasErrno, RowbackError } from './errors.ts'
import { makeFolders } from './folders.ts'
import { packageRoot } from './package.ts'
import { shellQuoted } from './shell.ts'

/** The line of the hook that says which programs to run; installing fills it in. */
const programLine = /^rowback_program=.*$/m

/** What tells our hook from another one. */
const marker = '# rowback pre-push hook'

/**
 * Installs `hooks/pre-push` into a git directory, with the programs that are running now as its first choice. Throws
 * RowbackError('repository') where it cannot be written.
 */
export async function installHook(gitDir: string): Promise<void> {
  const template = await readFile(join(packageRoot, 'hooks', 'pre-push'), 'utf8')
  const program = [process.execPath, join(packageRoot, 'bin', 'rowback.js')].map(shellQuoted).join(' ')
  const file = hookFile(gitDir)
  try {
    await makeFolders(join(gitDir, 'hooks'))
    await writeFile(
      file,
      template.replace(programLine, () => `rowback_program=${shellQuoted(program)}`),
    )
    await chmod(file, 0o755)
    await syncFile(file)
  } catch (error) {
    throw new RowbackError('repository', `write ${file}: ${errorText(error)}`, { cause: error })
  }
}

/** Whether a git directory has our hook, which `push` need not run: it verifies by itself then. */
export async function hasOwnHook(gitDir: string): Promise<boolean> {
  try {
    return (await readFile(hookFile(gitDir), 'utf8')).includes(marker)
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false
    throw new RowbackError('repository', `read ${hookFile(gitDir)}: ${errorText(error)}`, { cause: error })
  }
}

function hookFile(gitDir: string): string {
  return join(gitDir, 'hooks', 'pre-push')
}
