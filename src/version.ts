/** The version of this program, from its package.json. */

import { readFileSync } from 'node:fs'

interface Package {
  version: string
}

function readPackage(): Package {
  // Sources and the built files lie at different depths below package.json.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Package
    } catch {}
  }
  return { version: '0.0.0' }
}

export const version = readPackage().version
