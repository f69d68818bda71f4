/** The command line: reads arguments, calls one flow, and turns what it throws into an exit code. */

import { Command, CommanderError, Option } from 'commander'
import { engineModes, upkeepModes, verifyModes } from '../config/defaults.ts'
import { exitCodes, RowbackError } from '../errors.ts'
import { interrupt } from '../interrupt.ts'
import { version } from '../package.ts'
import { leaveLostDirectory, refuseEmpty } from './arguments.ts'
import type { BackupFlags } from './backup.ts'
import type { CloneFlags } from './clone.ts'
import { type CommonFlags, type Context, makeOutput, readContext } from './context.ts'
import { ToldError } from './output.ts'
import { stdoutFault, watchStreams } from './streams.ts'

/** Runs the program with those arguments and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  // Not once: a second one would end the process before what the first one undoes.
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  watchStreams()
  const code = await carryOut(args)
  const fault = await stdoutFault()
  if (fault === undefined) return code
  makeOutput({}).problem(`write to stdout: ${fault}; nothing but the output is cut short`)
  return code === exitCodes.done ? exitCodes.target : code
}

async function carryOut(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    return exitCodeOf(error, args)
  }
}

function stop(): void {
  interrupt()
  process.exit(exitCodes.interrupted)
}

function exitCodeOf(error: unknown, args: readonly string[]): number {
  // Help and version come as errors with exit code 0; without a verb the help has been printed on stderr.
  if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done
  if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage
  const has = (...names: string[]): boolean => args.some((argument) => names.includes(argument))
  const told = error instanceof ToldError
  const thrown = told ? error.cause : error instanceof CommanderError ? usageError(error) : error
  makeOutput({ json: has('--json') && !told, verbose: has('-v', '--verbose') }).error(thrown)
  return exitCodes[thrown instanceof RowbackError ? thrown.code : 'fault']
}

/** What commander says of the arguments, in one line: its own has `error:` before it and a suggestion below. */
function usageError({ message }: CommanderError): RowbackError {
  const text = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
  return new RowbackError('usage', text, { hint: 'rowback --help' })
}

const verifyHelp =
  'which commits are proved before the branch moves (default: schema, where a push follows the first one and those that change the schema)'

const extension = ['--extension <path>', 'a SQLite extension to load; may be given again', listed] as const

const signed = ['--signed', 'only with a good signature of one of the signers in the settings'] as const

const force = ['--force', 'replace a live source although another process has a database open'] as const
const include = ['--include <glob>', 'assets to keep (default: all); may be given again', listed] as const
const exclude = ['--exclude <glob>', 'assets and databases to leave out; may be given again', listed] as const
const retries = [
  '--retries <count>',
  'how often a fault of the network is tried again, 1, 2, 4 … seconds apart (default: 4)',
] as const

const engineHelp =
  'what reads and writes the repository (default: auto, the git program, or isomorphic-git where there is none)'

const upkeepHelp = 'when packs are joined afterwards (default: auto, when they have become many or large)'

/** The verbs and their flags. A verb is loaded when it is run. */
export function program(): Command {
  const root = new Command('rowback')
    .description('Puts a live SQLite database and its files under version control.')
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', helpAfter)
  verb(root, 'backup [source]', 'commit a SQLite file or a data directory, and push it if a remote is set')
    .option('--remote <url>', 'where to push; may be given again', listed)
    .option(...retries)
    .option('--name <name>', 'what the application is called in commit subjects')
    .option(...include)
    .option(...exclude)
    .option('--exclude-table <name>', 'a table whose rows are left out; may be given again', listed)
    .option('--author <author>', 'author of the commit, as "Name <address>"')
    .option(
      '--time <time>',
      'time of the commit: ISO 8601 (a date, or with a time and its zone), or seconds since 1970',
    )
    .addOption(new Option('--verify <mode>', verifyHelp).choices(verifyModes))
    .option('--no-hook', 'make a new repository without the pre-push hook')
    .option('--full', 'read and check all of the source, not only what changed since the last backup')
    .addOption(new Option('--upkeep <mode>', upkeepHelp).choices(upkeepModes))
    .option(...extension)
    .action(
      run<BackupFlags>(async (context, flags, source) =>
        (await import('./backup.ts')).runBackup(context, flags, source),
      ),
    )
  verb(root, 'clone <url> <dir>', 'make a repository that goes on from a remote', false)
    .option('--partial', 'leave files at the remote until a restore, diff or verify needs them')
    .option(...retries)
    .action(
      run<CloneFlags>(async (context, flags, url, dir) =>
        (await import('./clone.ts')).runClone(context, flags, url, dir),
      ),
    )
  verb(root, 'log', 'list the commits, newest first')
    .option('-n, --number <count>', 'at most so many')
    .action(run(async (context, flags) => (await import('./log.ts')).runLog(context, flags)))
  verb(root, 'show <rev>', 'show one commit in full').action(
    run(async (context, flags, rev) => (await import('./log.ts')).runShow(context, flags, rev)),
  )
  verb(root, 'diff <a> [b]', 'show what changed between two commits, row by row (b: the latest)')
    .option('--stat', 'only how many rows of each table')
    .option('--table <name>', 'only the rows of this table')
    .option('--file <path>', 'the database of --table, where several have such a table')
    .addOption(
      new Option('--sql', 'as a script for the sqlite3 shell that makes the rows of a those of b').conflicts([
        'stat',
        'json',
      ]),
    )
    .action(run(async (context, flags, a, b) => (await import('./diff.ts')).runDiff(context, flags, a, b)))
  verb(root, 'restore <rev>', 'bring back the whole source, or one file or table of it')
    .option('--to <dir>', 'a directory that is missing or empty')
    .option('--file <path>', 'one database or asset')
    .option(
      '--table <name>',
      'one table, in a database of its own; --file names its database where several have such a table',
    )
    .option('--output <file>', 'where --file or --table goes; it must not exist')
    .option('--in-place', 'over the live source; what it holds is committed first, and undo brings it back')
    .option(...include)
    .option(...exclude)
    .option(...force)
    .option(...signed)
    .option(...extension)
    .action(
      run(async (context, flags, rev) => (await import('./restore.ts')).runRestore(context, flags, rev)),
    )
  verb(root, 'undo', 'take back the last restore in place, or the last undo')
    .option(...include)
    .option(...exclude)
    .option(...force)
    .option(...extension)
    .action(run(async (context, flags) => (await import('./restore.ts')).runUndo(context, flags)))
  verb(
    root,
    'verify [rev...]',
    'prove that commits restore to what they were made from (default: the latest)',
  )
    .option('--all', 'every commit that REV reaches, each tree once; leaves out what was proved before')
    .option('--unless-proved', 'leave out what was proved in this repository before')
    .option(...signed)
    .option(...extension)
    .action(
      run(async (context, flags, revs) => (await import('./verify.ts')).runVerify(context, flags, revs)),
    )
  verb(root, 'push', 'push what is not pushed yet')
    .option(
      '--contents',
      'ask the remote for every content in Git LFS of the branch, and send what it has lost',
    )
    .option('--dry-run', 'only say what would be pushed, and what hosts refuse of it')
    .option(
      '--remote <url>',
      'where to (default: the remotes of the settings, else those of the last push); may be given again',
      listed,
    )
    .option(...retries)
    .option(...extension)
    .action(run(async (context, flags) => (await import('./push.ts')).runPush(context, flags)))
  return root
}

function verb(root: Command, usage: string, description: string, hasRepository = true): Command {
  const made = root
    .command(usage)
    .description(description)
    .option('-c, --config <file>', 'settings file (default: rowback.yaml, if there is one)')
  if (hasRepository) made.option('-r, --repo <dir>', 'the git repository of the backups')
  return made
    .addOption(new Option('--engine <engine>', engineHelp).choices(engineModes))
    .option('--json', 'print one JSON document on stdout')
    .option('-q, --quiet', 'print errors only')
    .option('-v, --verbose', 'print the time of each phase, and where an error comes from')
}

/** The values of a flag that is given several times. One flag takes one value, or it would take SOURCE too. */
function listed(value: string, before: string[] = []): string[] {
  return [...before, value]
}

/** An action that reads the settings first; commander passes the arguments, then the flags, then the command. */
function run<Flags extends CommonFlags>(
  // biome-ignore lint/suspicious/noExplicitAny: commander gives each verb its own arguments
  call: (context: Context, flags: Flags, ...args: any[]) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const flags = args.at(-2) as Flags
    const command = args.at(-1) as Command
    refuseEmpty(command)
    const context = await readContext(flags, makeOutput(flags))
    leaveLostDirectory(command)
    await call(context, flags, ...args.slice(0, -2))
  }
}

const helpAfter = `
REV is any git revision of the repository, short ids and "latest" included.

Exit codes:
  0  done, or nothing to do           12  push refused or remote unreachable; the commit is safe
  1  a fault of Rowback               13  verify found a difference, or no signature
  2  usage or settings                14  the dump holds what a dump may not hold
 10  source not, or not all, readable 15  target not empty, full or not writable, or stdout is
 11  repository unusable             130  interrupted`
