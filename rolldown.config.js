/** Puts the modules of the program and of its threads into a few files, which a start loads sooner. */

import { readFileSync } from 'node:fs'

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

export default {
  input: {
    main: 'dist/src/cli/main.js',
    'replay-child': 'dist/src/replay-child.js',
    'dump-worker': 'dist/src/sqlite/dump-worker.js',
    'replay-worker': 'dist/src/sqlite/replay-worker.js',
  },
  platform: 'node',
  external: Object.keys(dependencies),
  output: { dir: 'dist/program', chunkFileNames: '[name].js', cleanDir: true },
}
