/** Where this package lies on the disk, and what its package.json says. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/** The folder of package.json: one level above a source, two above what is built. */
export const packageRoot = join(here, existsSync(join(here, '..', 'package.json')) ? '..' : '../..')

/** The version of this program. */
export const version: string = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version
