/**
 * Checks of parsed JSON against the shape that it must have: pure. Only what the manifest needs: to load a library for it
 * would take longer than all the rest of the start of a verb (docs/design.md).
 */

/** What is wrong with the value at a path; undefined if nothing is. */
export type Shape = (value: unknown, path: string) => string | undefined

export const text: Shape = (value, path) =>
  typeof value === 'string' ? undefined : `${path}: expected a text`

/** A whole number from 0 on that a double holds exactly. */
export const count: Shape = (value, path) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : `${path}: expected a count`

export function oneOf(...allowed: readonly (string | number)[]): Shape {
  const named = allowed.map((each) => JSON.stringify(each)).join(' or ')
  return (value, path) => (allowed.some((each) => each === value) ? undefined : `${path}: expected ${named}`)
}

export function list(item: Shape): Shape {
  return (value, path) =>
    Array.isArray(value)
      ? firstProblem(value.map((each, index) => () => item(each, `${path}.${index}`)))
      : `${path}: expected a list`
}

/** An object with these keys, of which those of `optional` may be missing, and no others. */
export function object(keys: Record<string, Shape>, optional: readonly string[] = []): Shape {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return `${path}: expected an object`
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`)
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(keys, key))
    if (unknown !== undefined) return `${at(unknown)}: unknown key`
    const asked = Object.entries(keys).filter(([key]) => Object.hasOwn(value, key) || !optional.includes(key))
    return firstProblem(
      asked.map(
        ([key, shape]) =>
          () =>
            shape((value as Record<string, unknown>)[key], at(key)),
      ),
    )
  }
}

/** Either of two shapes; what is wrong is told by the second. */
export function either(first: Shape, second: Shape): Shape {
  return (value, path) => (first(value, path) === undefined ? undefined : second(value, path))
}

function firstProblem(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const problem = check()
    if (problem !== undefined) return problem
  }
  return undefined
}
