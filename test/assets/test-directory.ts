import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory that any user can enter and that is removed, whatever its modes, when the test ends. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rowback-assets-'))
  chmodSync(directory, 0o755)
  onTestFinished(() => {
    execFileSync('chmod', ['-R', 'u+rwx', directory])
    execFileSync('rm', ['-rf', directory])
  })
  return directory
}

/** Writes files, and the directories they are in, below `root`; a path that ends in `/` is a directory. */
export function writeTree(root: string, tree: Record<string, string | Buffer>): void {
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(path.endsWith('/') ? join(root, path) : dirname(join(root, path)), { recursive: true })
    if (!path.endsWith('/')) writeFileSync(join(root, path), content)
  }
}

/** Runs `work` as a user whom permission bits hold: root drops to nobody meanwhile. */
export async function withoutPrivilege<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  try {
    return await work()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}
