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
