/**
 * Reads the rows of a row file as values, within its content: pure, but that it overwrites the content. A decoded value is
 * never longer than its literal, so one of hundreds of megabytes takes no room of its own. For content that the grammar
 * accepts.
 */

import { type Encoding, lineEndMarkers, type Value } from './literal.ts'
import { literalEnd } from './literal-end.ts'
import { parseLiteral } from './parse-literal.ts'
import { type RowHeader, rowFooter } from './rows.ts'

/** The values of each row; those that are bytes lie in the content, and hold until the next row. */
export function* decodedRows(
  content: Buffer,
  { columns, bodyStart }: RowHeader,
  encoding: Encoding,
): Generator<Value[]> {
  let at = bodyStart
  while (at < content.length - rowFooter.length) {
    const values: Value[] = []
    // In front of each literal stands a `(` or a comma, in front of a row a space or a comma as well.
    at += 1
    for (let index = 0; index < columns.length; index++) {
      const end = literalEnd(content, at + 1)
      values.push(decoded(content.subarray(at + 1, end), encoding))
      at = end
    }
    yield values
    at += ')\n'.length
  }
}

/** Shorter literals are parsed as a text, whatever they are. */
const longBytes = 2 ** 16

function decoded(literal: Buffer, encoding: Encoding): Value {
  const first = literal.toString('latin1', 0, 1)
  if (literal.length < longBytes) return parseLiteral(literal.toString('utf8'), encoding)
  if (first === 'X') return decodedDigits(literal.subarray("X'".length, -1))
  if (encoding !== 'UTF-8') return parseLiteral(literal.toString('utf8'), encoding)
  if (first === 'C') return { text: decodedDigits(literal.subarray("CAST(X'".length, -"' AS TEXT)".length)) }
  return { text: decodedText(literal) }
}

const pieceBytes = 2 ** 16

function decodedDigits(digits: Buffer): Buffer {
  let length = 0
  for (let at = 0; at < digits.length; at += pieceBytes)
    length += digits.write(digits.toString('latin1', at, at + pieceBytes), length, 'hex')
  return digits.subarray(0, length)
}

/** The text of a quoted literal, with or without `replace()` around it. */
function decodedText(literal: Buffer): Buffer {
  const replacement = lineEndMarkers
    .flatMap(({ code, markers }) =>
      markers.map((marker) => ({ code, marker, after: `,'${marker}',char(${code}))` })),
    )
    .find(({ after }) => literal.subarray(-after.length).equals(Buffer.from(after)))
  if (replacement === undefined) return shortened(literal.subarray(1, -1), "''", "'")
  const { code, marker, after } = replacement
  const inner = decodedText(literal.subarray('replace('.length, -after.length))
  return shortened(inner, marker, String.fromCharCode(code))
}

/** Bytes with a shorter text in the place of another, within the same memory. */
function shortened(bytes: Buffer, from: string, to: string): Buffer {
  let [read, length] = [0, 0]
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, read)) {
    bytes.copyWithin(length, read, at)
    length += at - read
    length += bytes.write(to, length)
    read = at + from.length
  }
  bytes.copyWithin(length, read)
  return bytes.subarray(0, length + bytes.length - read)
}
