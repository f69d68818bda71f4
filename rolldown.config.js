/** Puts the modules of the program, its process and its threads into few files: what each starts with is one of them. */

import { readFileSync } from 'node:fs'

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

/** `input` and what it may load later; `start` are the modules that are one file with all that they import. */
function files(name, input, start = input) {
  return {
    input: { [name]: `dist/src/${input}.js` },
    platform: 'node',
    external: Object.keys(dependencies),
    output: {
      dir: 'dist/program',
      // The first removes what was there.
      cleanDir: name === 'main',
      chunkFileNames: `${name}-[name].js`,
      codeSplitting: { groups: [{ name: 'start', test: new RegExp(`/dist/src/${start}\\.js$`) }] },
    },
  }
}

export default [
  files('main', 'cli/main', 'cli/(?:main|backup)'),
  files('replay-child', 'replay-child'),
  files('replay-worker', 'sqlite/replay-worker'),
  files('dump-worker', 'sqlite/dump-worker'),
]
