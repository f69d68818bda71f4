/** Names of branches; pure. */

/** What no branch name may hold: git check-ref-format(1), rules 1 to 10. */
const noBranch = [
  /^[-/]|^HEAD$|^@$/,
  /(?:^|\/)\.|\.lock(?:\/|$)/,
  /\.\.|\/\/|@\{/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses exactly the ASCII ones
  /[\x00-\x20\x7f~^:?*[\\]/,
  /[/.]$|\p{Surrogate}/u,
]

/** Whether git allows a branch of that name. */
export function isBranchName(name: string): boolean {
  return name !== '' && !noBranch.some((rule) => rule.test(name))
}

/** Where git looks for a ref, in that order (gitrevisions(7)); its own files such as HEAD aside. */
export function placesOf(name: string): string[] {
  const places = ['refs/', 'refs/tags/', 'refs/heads/', 'refs/remotes/'].map((folder) => folder + name)
  return name.startsWith('refs/') ? [name, ...places] : places
}

/** The refs that a name may mean; HEAD is that of the branch. */
export function refsNamed(name: string, branch: string): string[] {
  return name === 'HEAD' || name === '@' ? [`refs/heads/${branch}`] : placesOf(name)
}
