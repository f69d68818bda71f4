/** Signatures of commits, as the system's git checks them (git-log(1), `%G?`), and whose of them count. */

import { access, constants } from 'node:fs/promises'
import { errorText, RowbackError } from '../errors.ts'
import type { SignatureFormat } from './commit.ts'
import { needsGit } from './engine.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** Whose signatures count; nobody's without either. */
export interface Signers {
  /** Absolute path of a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS). */
  ssh?: string | undefined
  /** Fingerprints of OpenPGP keys that gpg has, in upper case: of primary keys, or of the subkey that signs. */
  openpgp?: readonly string[] | undefined
}

/** A good signature of somebody who counts. */
export interface Signature {
  format: SignatureFormat
  /** The principal of the file of allowed signers, or the user id of the OpenPGP key. */
  signer: string
  /** The fingerprint of the key. */
  key: string
}

/** Of each commit: its good signature, or what is wrong with it, in words that go on a sentence about the commit. */
export async function readSignatures(
  store: Store,
  oids: readonly string[],
  signers: Signers,
): Promise<Map<string, Signature | string>> {
  if (store.engine === 'embedded')
    throw needsGit('repository', `check signatures in ${store.dir}`, 'they are checked as git does')
  await expectReadable(signers)
  const found = new Map<string, Signature | string>()
  for (const oid of oids) {
    const { signed } = await store.readCommit(oid)
    const judge = async (format: SignatureFormat) =>
      judged(format, await checkSignature(store, oid, signers), signers)
    found.set(oid, signed === undefined ? 'is not signed' : await judge(signed))
  }
  return found
}

/** The good signature of a commit. Throws RowbackError('difference') without one; `task` goes before what it says. */
export async function requireSignature(
  store: Store,
  oid: string,
  signers: Signers,
  task: string,
): Promise<Signature> {
  const found = (await readSignatures(store, [oid], signers)).get(oid)
  if (typeof found === 'object') return found
  throw new RowbackError('difference', `${task} commit ${oid.slice(0, 12)} ${found}`, { hint: signatureHint })
}

/** git takes a file that is missing for one that names nobody. */
async function expectReadable({ ssh }: Signers): Promise<void> {
  if (ssh === undefined) return
  await access(ssh, constants.R_OK).catch((error: unknown) => {
    throw new RowbackError('usage', `read allowed signers ${ssh}: ${errorText(error)}`, { cause: error })
  })
}

const signatureHint = 'rowback verify --all --signed lists the commits without a signature that counts'

interface Checked {
  /** A letter of git's. */
  verdict: string
  signer: string
  key: string
  /** Fingerprints: of the key, and of the primary key that it belongs to. */
  fingerprint: string
  primary: string
}

/** Neither the repository's settings nor the user's choose what checks. */
function settings({ ssh = '' }: Signers): string[] {
  const programs = ['gpg.program=gpg', 'gpg.openpgp.program=gpg', 'gpg.x509.program=false']
  const ofSsh = ['gpg.ssh.program=ssh-keygen', `gpg.ssh.allowedSignersFile=${ssh}`]
  // Who is trusted is said by fingerprint, so gpg's own opinion does not matter.
  return [...programs, ...ofSsh, 'gpg.minTrustLevel=undefined'].flatMap((setting) => ['-c', setting])
}

async function checkSignature(store: Store, oid: string, signers: Signers): Promise<Checked> {
  const format = '--format=%G?%x00%GS%x00%GK%x00%GF%x00%GP'
  const only = ['--no-walk', '--no-show-signature', '--encoding=UTF-8']
  const log = await git(store.gitDir, [...settings(signers), 'log', ...only, format, oid, '--'])
  // What does not even look like a signature is not read to its end by ssh-keygen, which ends git.
  const isDamaged = log.stderr.endsWith('git was ended by SIGPIPE')
  if (log.code !== 0 && !isDamaged)
    throw new RowbackError('repository', `read signature of ${oid}: ${gitCause(log)}`)
  const fields = log.stdout.toString().split('\n')[0]?.split('\0') ?? []
  const [verdict = '', signer = '', key = '', fingerprint = '', primary = ''] = isDamaged ? [] : fields
  return { verdict, signer, key, fingerprint, primary }
}

function judged(format: SignatureFormat, checked: Checked, signers: Signers): Signature | string {
  const { verdict, signer, key, fingerprint, primary } = checked
  if (format === 'other') return 'has a signature of a kind that is not known'
  const name = `${format === 'ssh' ? 'SSH' : 'OpenPGP'} key${key === '' ? '' : ` ${key}`}`
  if (format === 'ssh' && signers.ssh === undefined) return `is signed by ${name}, and no SSH key counts here`
  // ssh-keygen says no more of a key that is allowed for other namespaces than git's.
  if (verdict === 'B' && format === 'ssh')
    return 'has a bad signature: the commit is not what was signed, or the key may not sign for git'
  if (verdict === 'B') return `has a bad signature of ${name}: the commit is not what was signed`
  const problem = problems[verdict]
  if (problem !== undefined) return `is signed by ${name}, ${problem}`
  if (verdict !== 'G' && verdict !== 'U')
    return `has a signature of ${name} that cannot be checked: ${cannot[format]}`
  const isAllowed =
    format === 'ssh'
      ? verdict === 'G' && key.startsWith('SHA256:')
      : (signers.openpgp ?? []).some((allowed) => allowed === fingerprint || allowed === primary)
  if (!isAllowed)
    return `is signed by ${name}${signer === '' ? '' : ` of ${signer}`}, which does not count here`
  return { format, signer, key: format === 'ssh' ? key : fingerprint }
}

const problems: Record<string, string | undefined> = {
  X: 'and the signature has expired',
  Y: 'which has expired',
  R: 'which is revoked',
  E: 'which gpg does not have',
}

const cannot = {
  ssh: 'it is damaged, or this needs git 2.34 and OpenSSH 8.2',
  openpgp: 'it is damaged, or this needs gpg',
}
