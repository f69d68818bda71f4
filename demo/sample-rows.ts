// What the sample application's tables are filled with. Pure: the same random sequence gives the same rows.
import type { Random } from './random.ts'

/** A bookmark as the sample application stores it, without its id. Times are UTC. */
export interface Bookmark {
  folderId: number
  url: string
  title: string
  notes: string
  /** 0 to 10, null when the page was not rated. */
  rating: number | null
  unread: boolean
  /** `YYYY-MM-DD HH:MM:SS` */
  added: string
  /** Seconds since 1970. */
  modified: number
  language: string | null
}

/** The folders as parent (a place in this list, counted from 1) and name. */
export const FOLDERS: readonly (readonly [parent: number | null, name: string])[] = [
  [null, 'Reading list'],
  [null, 'Home lab'],
  [2, 'Backups'],
  [2, 'Networking'],
  [null, 'Cooking'],
  [5, 'Bread & pastry'],
  [null, 'Travel'],
  [7, '日本'],
  [7, 'Österreich'],
  [null, "Children's books"],
  [null, 'Archive'],
  [11, '2023'],
]

/** The names of all tags. */
export const TAGS: readonly string[] = [
  ...['astronomy', 'backup', 'baking', 'birds', 'c++', 'café', 'chess', 'cycling', 'databases', 'design'],
  ...['docker', 'electronics', 'fermentation', 'fonts', 'gardening', 'geology', 'git', 'hiking', 'history'],
  ...[
    'home-automation',
    'how-to',
    'jazz',
    'keyboards',
    'linux',
    'maps',
    'mathematics',
    'music',
    'networking',
  ],
  ...[
    'photography',
    'privacy',
    'puzzles',
    'radio',
    'recipes',
    'repair',
    "rock'n'roll",
    'self-hosted',
    'sewing',
  ],
  ...[
    'sqlite',
    'tea',
    'tools',
    'trains',
    'travel',
    'typography',
    'video',
    'weather',
    'woodworking',
    '日本語',
  ],
]

/** The rows of the settings table; each value is JSON. */
export const SETTINGS: readonly (readonly [key: string, value: string])[] = [
  ['archive.enabled', 'true'],
  ['archive.max_bytes', '10485760'],
  ['dashboard.widgets', '[{"kind":"unread","size":10},{"kind":"tag cloud","size":47}]'],
  ['display.columns', '["title","tags","added"]'],
  ['display.date_format', '"dd.MM.yyyy"'],
  ['display.page_size', '50'],
  ['display.theme', '{"name":"dusk","accent":"#b5651d","custom_css":"a { color: \'inherit\'; }\\n"}'],
  ['import.last_file', 'null'],
  ['links.check_every_days', '7.5'],
  ['links.user_agent', '"Mozilla/5.0 (compatible; \\"bookmarks\\"; +https://bookmarks.example/)"'],
  ['search.boost', '{"title":2.0,"notes":1.0,"url":0.25}'],
  ['search.stop_words', '["the","und","の"]'],
]

const KINDS = [
  'A field guide to',
  'Notes on',
  'The trouble with',
  'An introduction to',
  'Why we love',
  'Fixing',
]
const QUALITIES = ['quiet', 'small', 'portable', 'forgotten', 'slow', 'honest', 'weatherproof', 'second-hand']
const SUBJECTS = [
  ...['sourdough', 'railway timetables', 'text files', 'heat pumps', 'mechanical clocks', 'night skies'],
  ...['write-ahead logs', 'bicycle hubs', 'cast iron', 'map projections', 'short-wave radio', 'tide tables'],
  ...['crème brûlée', 'Straßenbahnen', 'фотография', '折り紙', 'plain "old" e-mail', "gardener's calendars"],
]
const MARKS = ['⭐', '🦊', '🥐', '🚲', '🌧️', '👩‍🔧']
const LANGUAGES = ['en', 'en', 'en', 'de', 'ja', null]

const FIRST_ADDED = Date.UTC(2023, 0, 7, 7, 30) / 1000

/** The `ordinal`-th bookmark, counted from 1. A later ordinal was added later. */
export function bookmark(random: Random, ordinal: number): Bookmark {
  const subject = random.pick(SUBJECTS)
  const site = `https://${random.pick(QUALITIES)}.example/${random.pick(['birds', 'c++', 'tea'])}`
  const title = `${random.pick(KINDS)} ${random.pick(QUALITIES)} ${subject}`
  const addedSeconds = FIRST_ADDED + ordinal * 18_000 + random.integer(0, 17_999)
  return {
    folderId: random.integer(1, FOLDERS.length),
    url: `${site}/${ordinal}?q=${encodeURIComponent(subject)}`,
    title: random.chance(0.1) ? `${title} ${random.pick(MARKS)}` : title,
    notes: notes(random, subject),
    rating: rating(random),
    unread: random.chance(0.3),
    added: utcText(addedSeconds),
    modified: addedSeconds + random.integer(0, 600),
    language: random.pick(LANGUAGES),
  }
}

/** The tags of one bookmark as one to four different places in TAGS, counted from 1, ascending. */
export function tagIds(random: Random): number[] {
  const ids = new Set<number>()
  const wanted = random.integer(1, 4)
  while (ids.size < wanted) ids.add(random.integer(1, TAGS.length))
  return [...ids].sort((a, b) => a - b)
}

/** `YYYY-MM-DD HH:MM:SS` in UTC, as SQLite's datetime() writes it. */
export function utcText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
}

function notes(random: Random, subject: string): string {
  const page = random.integer(1, 300)
  switch (random.integer(0, 9)) {
    case 0:
      return `To do:\n- read the part on ${subject}\n- try it\n- write down what worked\n`
    case 1:
      return `"${subject}" is how it's called here; see also p. ${page} -- don't lose this one`
    case 2:
      return `First line\r\nSecond line, ${page}\r\n\r\n\tindented`
    case 3:
      return `${random.pick(MARKS)} ${subject}: 100 % useful ${random.pick(MARKS)}`
    case 4:
      return `saved at C:\\notes\\new\\${page}.txt, not /notes/${page}.txt`
    case 5:
      return `See page ${page}.`
    default:
      return ''
  }
}

// Half of the ratings were kept as 32-bit floats once, as some applications do: 7.3 reads 7.300000190734863.
function rating(random: Random): number | null {
  if (random.chance(0.4)) return null
  const stars = random.integer(0, 100) / 10
  return random.chance(0.5) ? stars : Math.fround(stars)
}
