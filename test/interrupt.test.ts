import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { killTree } from '../src/child-processes.ts'
import { interrupt, onInterrupt } from '../src/interrupt.ts'

test('An undoing that fails, as on a disk that is read-only, keeps no other one from being done.', () => {
  const done: string[] = []
  onInterrupt(() => done.push('first'))
  onInterrupt(() => {
    throw new Error('EROFS: read-only file system')
  })
  onInterrupt(() => done.push('last'))
  interrupt()
  expect(done).toEqual(['last', 'first'])
  interrupt()
  expect(done).toHaveLength(2)
})

test('Of a process that has ended, nothing is killed that another one of its id has started.', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'])
  onTestFinished(() => {
    killTree(shell)
  })
  const [said] = (await once(shell.stdout, 'data')) as [Buffer]
  const started = Number(said.toString())
  const ended = {
    pid: shell.pid,
    exitCode: 0,
    signalCode: null,
    kill: () => false,
  } as unknown as ChildProcess
  killTree(ended)
  expect(process.kill(started, 0)).toBe(true)
  killTree(shell)
  await once(shell, 'exit')
  await vi.waitFor(() =>
    expect(
      existsSync(`/proc/${started}/cmdline`) && readFileSync(`/proc/${started}/cmdline`, 'latin1'),
    ).toBeFalsy(),
  )
})
