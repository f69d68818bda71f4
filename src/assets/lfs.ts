/**
 * Git LFS in the tree of a commit: where the pointer files are, their bytes (git-lfs, docs/spec.md "The Pointer") and the
 * attributes by which a client of git-lfs knows them. Pure.
 */

import type { FileEntry } from './manifest.ts'
import { storedPath } from './paths.ts'

/** A content by its SHA-256, 64 hexadecimal digits, and its size in bytes: what a pointer says. */
export type LfsObject = Pick<FileEntry, 'sha256' | 'size'>

/** The folder of the tree that has pointers, and nothing else; `assets/` stays what it says, byte for byte. */
export const lfsFolder = 'assets-lfs'

/** A file at the root of the tree, there if and only if there is a pointer. No name of an asset has to be quoted in it. */
export const lfsAttributes = {
  path: '.gitattributes',
  content: Buffer.from(`/${lfsFolder}/** filter=lfs diff=lfs merge=lfs -text\n`),
}

/** Where the tree has the content of an asset, or the pointer to it. */
export function assetTreePath({ path, lfs }: Pick<FileEntry, 'path' | 'lfs'>): string {
  return `${lfs ? lfsFolder : 'assets'}/${storedPath(path)}`
}

/** The part of a path of the tree that says which asset it is about; undefined for all that is no asset. */
export function storedAssetPath(treePath: string): string | undefined {
  return /^assets(?:-lfs)?\/(.+)$/s.exec(treePath)?.[1]
}

/** The file that stands for a content, as `git lfs pointer --file` writes it. */
export function lfsPointer({ sha256, size }: LfsObject): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`)
}

const pointer =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n$/

/** What a pointer that `lfsPointer` wrote stands for; undefined for any other file. */
export function parseLfsPointer(content: Buffer): LfsObject | undefined {
  const [, sha256, size] = pointer.exec(content.toString('latin1')) ?? []
  return sha256 === undefined ? undefined : { sha256, size: Number(size) }
}
