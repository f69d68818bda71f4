/** The process of `ReplayProcess`: its main thread reads and checks, so that it is there when its parent is gone. */

import { CatFile } from './git/cat-file.ts'
import { type BlobReader, replayDatabase } from './replay.ts'
import type { DumpedAgain, ReplayJob, ReplayNews } from './replay-job.ts'
import { plainError } from './sqlite/plain-error.ts'
import { ReplayThread } from './sqlite/replay-thread.ts'

/** What is told at once, in bytes. */
const progressBytes = 2 ** 20

function say(news: ReplayNews): void {
  process.send?.(news)
}

async function openObjects({
  gitDir,
  engine,
  remotes,
}: ReplayJob): Promise<Pick<CatFile, 'sizes' | 'read' | 'close'>> {
  if (engine === 'native') return new CatFile(gitDir, remotes)
  const { EmbeddedObjects } = await import('./git/embedded/objects.ts')
  return new EmbeddedObjects(gitDir)
}

let thread: ReplayThread | undefined

async function carryOut(job: ReplayJob): Promise<void> {
  thread ??= new ReplayThread()
  const objects = await openObjects(job)
  const store: BlobReader = {
    blobSizes: (oids) => objects.sizes(oids),
    readBlob: (oid) => objects.read(oid, 'blob'),
  }
  const done = { rows: 0, bytes: 0, files: [] as DumpedAgain[] }
  const report = (): void => {
    if (done.bytes > 0 || done.files.length > 0) say({ kind: 'progress', ...done })
    done.rows = 0
    done.bytes = 0
    done.files = []
  }
  try {
    const proof = await replayDatabase(thread, store, job, {
      onPhase: (phase) => {
        report()
        say({ kind: 'phase', phase })
      },
      onRows: (rows, bytes) => {
        done.rows += rows
        done.bytes += bytes
        if (done.bytes >= progressBytes) report()
      },
      onFile: (file) => done.files.push(file),
    })
    report()
    // This process may be ended with its last word: git has to be gone by then.
    await objects.close()
    say({ kind: 'done', proof })
  } catch (error) {
    await objects.close()
    say({ kind: 'failed', error: plainError(error) })
  }
}

// Ctrl-C and systemd tell every process of a group: the parent decides what becomes of this one.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
// However the parent has ended, and whatever SQLite is at.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (job: ReplayJob) => void carryOut(job))
