/** Whether what lies on a disk may be in use from another machine. */

import { statfs } from 'node:fs/promises'

/** File systems of other machines or of several, and FUSE, which may be one: statfs(2), and those that stat(1) takes for remote. */
const sharedTypes = new Set([
  ...[0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x65735546, 0x01021997, 0x00c36400],
  ...[0x01161970, 0x7461636f, 0x0bd00bd0, 0x47504653, 0x19830326, 0x5346414f, 0x6b414653, 0x73757245],
  ...[0x786f4256, 0xbacbacbc, 0x7c7c6673, 0xaad7aaea],
])

/** Whether another machine may be at work in a folder; true where the system does not tell. */
export async function isShared(folder: string): Promise<boolean> {
  return process.platform !== 'linux' || sharedTypes.has((await statfs(folder)).type)
}
