/**
 * REAL literals of format 1: pure. A literal is read back to the same 64 bits by every SQLite since 3.40,
 * whatever arithmetic it parses decimals with (80-bit long doubles, double-doubles, 128-bit integers).
 */

/** Powers of ten that a double holds exactly: 10^0 to 10^22. */
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/**
 * The literal of a double: the shortest decimal that reads back as it (ECMAScript Number::toString, with `.0`
 * where that looks like an integer), or an exact quotient or product by powers of two where a parser with
 * another rounding might read the decimal as a neighbour. Infinity is `9e999`; NaN does not exist in SQLite.
 */
export function realLiteral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '9e999'
  if (value === Number.NEGATIVE_INFINITY) return '-9e999'
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const text = String(value)
  if (!isRobust(Math.abs(value), value < 0 ? text.slice(1) : text)) return exactLiteral(value)
  return text.includes('.') || text.includes('e') ? text : `${text}.0`
}

/**
 * Whether a decimal lies so near its double, or its digits are so few, that any parser with at least 62 bits
 * of intermediate precision must find that double: it is further than a thousandth of a unit in the last
 * place from the middle between two doubles.
 */
function isRobust(value: number, text: string): boolean {
  const point = text.indexOf('.')
  const fraction = point < 0 ? 0 : text.length - point - 1
  // Between these bounds ECMAScript writes no exponent; ten and more digits behind the point end in eight digits.
  if (value >= 1e-6 && value < 1e21 && fraction >= 8) return isNear(value, Number(text.slice(-8)), fraction)
  const mark = text.indexOf('e')
  const digits = (mark < 0 ? text : text.slice(0, mark)).replace('.', '').replace(/^0+/, '')
  const scale = mark < 0 ? fraction : fractionDigits(text, mark) - Number(text.slice(mark + 1))
  if (digits.length <= 15 && scale >= 0 && scale <= 4) return true
  if (digits.length > 17) return scale === 0 && value < 2 ** 63 && isNearInteger(value, BigInt(digits))
  return isNear(value, Number(digits.slice(-8)), scale)
}

function fractionDigits(text: string, mark: number): number {
  const point = text.indexOf('.')
  return point < 0 ? 0 : mark - point - 1
}

/** Whether an integer that a 64-bit register holds lies near its double. */
function isNearInteger(value: number, integer: bigint): boolean {
  return Math.abs(Number(integer - BigInt(value))) <= 0.499 * unitInLastPlace(value)
}

/**
 * Whether the decimal s·10^-scale lies near the double that it is the shortest text of; `low` is s modulo 10^8.
 * s − value·10^scale is computed with an error far below a unit: the product is split after Dekker (1971), and
 * s, of 17 digits at the most, is a multiple of 10^8 next to the product, plus `low`.
 */
function isNear(value: number, low: number, scale: number): boolean {
  const power = powersOfTen[scale]
  if (power === undefined) return false
  const product = value * power
  const high = Math.round((product - low) / 1e8) * 1e8
  const [valueHigh, valueLow] = split(value)
  const [powerHigh, powerLow] = split(power)
  const error =
    valueHigh * powerHigh - product + valueHigh * powerLow + valueLow * powerHigh + valueLow * powerLow
  const residual = high - product + low - error
  return Math.abs(residual) <= 0.499 * unitInLastPlace(value) * power
}

function split(value: number): [number, number] {
  const scaled = value * 134217729
  const high = scaled - (scaled - value)
  return [high, value - high]
}

function unitInLastPlace(value: number): number {
  float[0] = value
  const exponent = ((words[1] as number) >>> 20) & 0x7ff
  if (exponent <= 52) return 2 ** (Math.max(exponent, 1) - 1075)
  // The same by its bits: `**` takes a tenth of the time of a literal.
  words[0] = 0
  words[1] = (exponent - 52) << 20
  return float[0]
}

/** The double as integer mantissa times or divided by powers of two: each step of that is exact in IEEE 754. */
function exactLiteral(value: number): string {
  const sign = value < 0 ? '-' : ''
  let mantissa = Math.abs(value)
  let exponent = 0
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2
    exponent -= 1
  }
  while (mantissa > Number.MAX_SAFE_INTEGER) {
    mantissa /= 2
    exponent += 1
  }
  let text = `${sign}${mantissa}.0`
  const operator = exponent < 0 ? '/' : '*'
  for (let left = Math.abs(exponent); left > 0; left -= 62) {
    text += `${operator}${2n ** BigInt(Math.min(left, 62))}.0`
  }
  return text
}

/** The pattern of every literal that `realLiteral` writes. */
export const realPattern =
  /^-?(?:9e999|\d+(?:\.\d+)?(?:e[+-]\d+)|\d+\.\d+(?:\*[1-9]\d{0,18}\.0){0,18}|\d+\.\d+(?:\/[1-9]\d{0,18}\.0){0,18})$/

/** The double that a literal of `realLiteral` stands for. */
export function parseReal(literal: string): number {
  const sign = literal.startsWith('-') ? -1 : 1
  const text = sign < 0 ? literal.slice(1) : literal
  const [first, ...rest] = text.split(/[*/]/)
  const divides = text.includes('/')
  return (
    sign *
    rest.reduce((value, power) => (divides ? value / Number(power) : value * Number(power)), Number(first))
  )
}
