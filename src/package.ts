/** Where this package lies on the disk, and what its package.json says. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/** The folder of package.json: two levels above a built file, one above a source. */
export const packageRoot = join(here, here.includes(join('dist', 'src')) ? '../..' : '..')

/** The version of this program. */
export const version: string = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version
