/**
 * Who takes part: Rowback, and what a user would take instead. Pure. A contestant is data: for each work that it can do,
 * a script for bash, which runs in a folder of its own round beside the database `app.db`.
 */

/** What is measured, in the order in which a round does it. */
export const works = {
  first: 'first backup',
  unchanged: 'nothing changed',
  small: '100 scattered updates, 200 rows appended',
  upkeep: 'upkeep of the repository after that',
  diff: 'diff of these two backups',
  percent: '1 % of rows changed',
  column: 'a new column',
  newest: 'restore the newest backup',
  oldest: 'restore the first backup',
  verify: 'verify the newest backup',
  read: 'read the database file',
} as const

export type Work = keyof typeof works

/** The works that make a backup. */
export const backups = ['first', 'unchanged', 'small', 'percent', 'column'] as const

export interface Contestant {
  /** As results name it. */
  name: string
  /** One sentence on what its command does; for results. */
  about: string
  /** The programs that it needs. */
  programs: readonly string[]
  /** Makes its repository ready for the first backup; not measured. */
  prepare?: string
  scripts: Partial<Record<Work, string>>
  /** The folder whose growth a backup is charged with. */
  repository?: string
  /** Pushes what is new to another folder and says "Writing objects"; of one without it, what is added is what is sent. */
  push?: string
  /** The programs whose versions are worth telling, with the flag that tells them. */
  versions?: Record<string, string>
}

/** All contestants, Rowback first; `rowback` is the shell command that starts it. */
export function contestants(rowback: string): Contestant[] {
  return [rowbackItself(rowback), dump, stock, restic, borg, sqldiff, read]
}

function rowbackItself(rowback: string): Contestant {
  const backup = `${rowback} backup app.db --repo ours.git --no-hook --quiet`
  const restore = (rev: string) => `${rowback} restore ${rev} --to out --repo ours.git --quiet`
  return {
    name: 'Rowback',
    about: '`rowback backup`, `restore`, `diff`, `verify`',
    programs: ['git'],
    prepare: 'git init -q --bare ours-remote.git',
    scripts: {
      ...everyBackup(() => backup),
      // In a copy, so that the backups that follow find the repository as Rowback leaves it.
      upkeep: `${rowback} backup app.db --repo upkeep.git --no-hook --quiet --upkeep always`,
      diff: `${rowback} diff latest~1 latest --repo ours.git`,
      newest: restore('latest'),
      oldest: restore(`latest~${commitsAfterTheFirst}`),
      verify: `${rowback} verify --repo ours.git --quiet`,
    },
    repository: 'ours.git',
    // A proof that holds the push back costs what `verify` costs.
    push: 'git -C ours.git push --no-verify --progress ../ours-remote.git main',
  }
}

// The backup of what has not changed makes no commit.
const commitsAfterTheFirst = 3

const dump: Contestant = {
  name: 'dump, add, commit',
  about: '`sqlite3 app.db .dump`, `git add`, `git commit`; restored by `git show` piped into `sqlite3`',
  programs: ['sqlite3', 'git'],
  prepare: `git init -q -b main dump && git init -q --bare dump-remote.git
    git -C dump config user.name bench && git -C dump config user.email bench@localhost`,
  scripts: {
    ...everyBackup(
      () => `sqlite3 app.db .dump > dump/app.sql && git -C dump add app.sql
        git -C dump diff --cached --quiet || git -C dump commit -qm backup`,
    ),
    newest: 'mkdir out && git -C dump show HEAD:app.sql | sqlite3 out/app.db',
    oldest: `mkdir out && git -C dump show HEAD~${commitsAfterTheFirst}:app.sql | sqlite3 out/app.db`,
  },
  repository: 'dump/.git',
  push: 'git -C dump push --progress ../dump-remote.git main',
  versions: { sqlite3: '--version', git: '--version' },
}

const stock: Contestant = {
  name: 'git archive, sqlite3',
  about: "Rowback's repository, restored without Rowback: `git archive`, `tar`, `sqlite3`",
  programs: ['git', 'tar', 'sqlite3'],
  scripts: {
    newest: restoreByStock('main'),
    oldest: restoreByStock(`main~${commitsAfterTheFirst}`),
  },
}

function restoreByStock(rev: string): string {
  return `mkdir out && git -C ours.git archive ${rev}:databases/main | tar -xO | sqlite3 out/app.db`
}

const restic: Contestant = {
  name: 'restic',
  about: '`restic backup` of the file as it lies; verified by `restic check --read-data`',
  programs: ['restic'],
  prepare: 'restic -q init',
  scripts: {
    ...everyBackup((work) => `restic -q backup --host bench --tag ${work} app.db`),
    newest: 'restic -q restore latest --target out',
    oldest: 'restic -q restore latest --tag first --target out',
    verify: 'restic -q check --read-data',
  },
  repository: 'restic',
  versions: { restic: 'version' },
}

const borg: Contestant = {
  name: 'borg',
  about: '`borg create` of the file as it lies; verified by `borg check --verify-data`',
  programs: ['borg'],
  prepare: 'borg init --encryption repokey borg',
  scripts: {
    ...everyBackup((work) => `borg create borg::${work} app.db`),
    newest: 'mkdir out && cd out && borg extract ../borg::column',
    oldest: 'mkdir out && cd out && borg extract ../borg::first',
    verify: 'borg check --verify-data borg',
  },
  repository: 'borg',
  versions: { borg: '--version' },
}

const sqldiff: Contestant = {
  name: 'sqldiff',
  about: '`sqldiff` of the two databases',
  programs: ['sqldiff'],
  scripts: { diff: 'sqldiff ../base.db app.db' },
}

const read: Contestant = {
  name: 'dd',
  about: '`dd` of the database file to /dev/null',
  programs: ['dd'],
  scripts: { read: 'dd if=app.db of=/dev/null bs=1M status=none' },
}

/** What all commands run with, in a round's folder `dir`: no settings or caches of the user who runs the benchmark. */
export function environment(dir: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:GIT|RESTIC|BORG|NODE)_/.test(name))
  return {
    ...Object.fromEntries(own),
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    RESTIC_REPOSITORY: 'restic',
    RESTIC_CACHE_DIR: 'restic-cache',
    RESTIC_PASSWORD: 'bench',
    BORG_PASSPHRASE: 'bench',
    BORG_BASE_DIR: `${dir}/borg-base`,
  }
}

function everyBackup(script: (work: Work) => string): Partial<Record<Work, string>> {
  return Object.fromEntries(backups.map((work) => [work, script(work)]))
}
