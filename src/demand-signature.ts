/** Demands a signature of a commit, where the caller does; what checks it is loaded only then. */

import type { Signature, Signers } from './git/signature.ts'
import type { Store } from './git/store.ts'

/**
 * Who signed a commit; undefined where nobody must have. Throws RowbackError('difference') without a good signature of
 * one of the signers; `task` goes before what it says of the commit.
 */
export async function demandSignature(
  store: Store,
  oid: string,
  signers: Signers | undefined,
  task: string,
): Promise<{ signature: Signature } | undefined> {
  if (signers === undefined) return undefined
  const { requireSignature } = await import('./git/signature.ts')
  return { signature: await requireSignature(store, oid, signers, task) }
}

/**
 * `demandSignature`, and that every object is what its id says: a signature covers ids only, and git does not hash what it
 * reads. Throws RowbackError('repository') that names damaged objects.
 */
export async function demandSignedObjects(
  store: Store,
  oid: string,
  signers: Signers | undefined,
  task: string,
): Promise<{ signature: Signature } | undefined> {
  const signature = await demandSignature(store, oid, signers, task)
  if (signature === undefined) return undefined
  const { expectSound } = await import('./sound.ts')
  await expectSound(store, 'and no signature covers them; nothing was written')
  return signature
}
